import { jetstreamManager, type ApiError, type JetStreamManager, type PubAck } from '@nats-io/jetstream'
import { headers, type Msg, type MsgHdrs } from '@nats-io/transport-node'
import type { Logger } from '../../logging/logger.ts'
import { BusError } from '../channel.ts'
import type { Job, JobPointer, JobQueue, Lane, LaneDepth, PublishedJob } from '../job-queue.ts'
import { assertLiteralSubject } from '../subject.ts'
import { asBusError } from './bus-fault.ts'
import { JobInboxes } from './job-inboxes.ts'
import { deliveryInfo, JobPull } from './job-pull.ts'
import { consumerName, jobSubject, prepareJobStreams, streamName, type JobStreamOptions, type LaneTimes } from './job-streams.ts'
import type { NatsLink } from './nats-link.ts'
import { NatsRequests } from './nats-requests.ts'
import { StreamKeeper } from './stream-keeper.ts'

const answerTimeoutMs = 5_000
/** What a publication was refused for may be gone when it is looked for. */
const publishAttempts = 3

/** The server's code for a message too many: of the stream, or of its subject. */
const refusedAsTooMany = 10077

/** Names the edge that a job's conversation is at. A header, which processes that do not know it pass by. */
const edgeHeader = 'Edge'

const text = new TextEncoder()
const ack = text.encode('+ACK')
const inProgress = text.encode('+WPI')
const terminate = text.encode('+TERM')
const nak = (delayMs: number): Uint8Array => text.encode(delayMs > 0 ? `-NAK ${JSON.stringify({ delay: Math.round(delayMs * 1e6) })}` : '-NAK')

export class NatsJobQueue implements JobQueue {
  readonly #link: NatsLink
  readonly #logger: Logger
  readonly #options: JobStreamOptions
  readonly #requests: NatsRequests
  readonly #manager: JetStreamManager
  readonly #inboxes: JobInboxes
  readonly #pulls = new Set<JobPull>()
  readonly #keeper: StreamKeeper
  #made: LaneTimes
  #closed = false

  private constructor(link: NatsLink, manager: JetStreamManager, made: LaneTimes, options: JobStreamOptions, logger: Logger) {
    this.#link = link
    this.#logger = logger
    this.#options = options
    this.#requests = new NatsRequests(link)
    this.#manager = manager
    this.#inboxes = new JobInboxes(link)
    this.#made = made
    this.#keeper = new StreamKeeper(link, logger, async () => {
      this.#made = await this.#ask('JetStream', prepareJobStreams(manager, options))
    })
  }

  /** Makes streams and consumers where they are missing. */
  static async open(link: NatsLink, options: JobStreamOptions, logger: Logger): Promise<NatsJobQueue> {
    const manager = await jetstreamManager(link.connection, { timeout: answerTimeoutMs })
    return new NatsJobQueue(link, manager, await prepareJobStreams(manager, options), options, logger)
  }

  get ackWaitMs(): number {
    return this.#options.ackWaitMs
  }

  async publish(job: JobPointer): Promise<PublishedJob> {
    this.#check()
    assertLiteralSubject(job.turnId)
    try {
      for (let attempt = 1; attempt <= publishAttempts; attempt += 1) {
        const published = await this.#publish(job)
        if (published !== null) return published
      }
    } catch (error) {
      throw asBusError(error)
    }
    throw new BusError('full', `lane ${job.lane} is full`)
  }

  /** Null where the job was refused, and neither it nor a full lane is there by now. */
  async #publish({ lane, turnId, conversationId, edge }: JobPointer): Promise<PublishedJob | null> {
    const subject = jobSubject(lane, turnId)
    const message = await this.#requests.request(subject, text.encode(String(conversationId)), { timeoutMs: answerTimeoutMs }, edge === undefined ? undefined : edgeHeaders(edge))
    const { seq, error } = message.json<Partial<PubAck> & { readonly error?: ApiError }>()
    if (error === undefined) return { sequence: seq ?? null, duplicate: false }
    if (error.err_code !== refusedAsTooMany) throw new BusError('disconnected', `JetStream does not serve: ${error.description}`)
    // The server has one code for both: that the turn has a job already, and that the lane is full.
    const there = await this.#ask('publish', this.#manager.streams.getMessage(streamName(lane), { last_by_subj: subject }))
    if (there !== null) return { sequence: there.seq, duplicate: true }
    const { state, config } = await this.#ask('publish', this.#manager.streams.info(streamName(lane)))
    if (state.messages >= config.max_msgs) throw new BusError('full', `lane ${lane} holds ${state.messages} jobs, and no more fit`)
    return null
  }

  async fetch(lane: Lane, max: number, { waitMs, signal }: { readonly waitMs: number; readonly signal?: AbortSignal }): Promise<Job[]> {
    this.#check()
    if (max < 1 || signal?.aborted === true) return []
    const pull = new JobPull(this.#link, this.#inboxes, `$JS.API.CONSUMER.MSG.NEXT.${streamName(lane)}.${consumerName}`, max, waitMs)
    const giveUp = (): void => pull.giveUp()
    this.#pulls.add(pull)
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      return (await pull.messages).flatMap((message) => this.#job(lane, message) ?? [])
    } catch (error) {
      void this.#keeper.prepare()
      throw error
    } finally {
      this.#pulls.delete(pull)
      signal?.removeEventListener('abort', giveUp)
    }
  }

  async depth(lane: Lane): Promise<LaneDepth> {
    this.#check()
    try {
      const consumer = await this.#ask('depth', this.#manager.consumers.info(streamName(lane), consumerName))
      return { waiting: consumer.num_pending, delivered: consumer.num_ack_pending, deliveredSequence: consumer.delivered.stream_seq }
    } catch (error) {
      throw asBusError(error)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#keeper.close()
    this.#requests.close()
    for (const pull of this.#pulls) pull.giveUp()
    await Promise.allSettled([...this.#pulls].map((pull) => pull.messages))
    this.#inboxes.close()
  }

  /** Undefined for what no process of ours has published: it is taken off the queue. */
  #job(lane: Lane, message: Msg): Job | undefined {
    const { reply = '', subject } = message
    const conversationId = Number(message.string())
    const turnId = subject.slice(jobSubject(lane, '').length)
    if (!Number.isSafeInteger(conversationId) || conversationId <= 0) {
      this.#logger.error({ subject }, 'a job that cannot be read was discarded')
      message.respond(terminate)
      return undefined
    }
    const { sequence, deliveries, pending } = deliveryInfo(reply)
    const edge = message.headers?.get(edgeHeader) ?? ''
    const made = this.#made.get(lane)
    let settled = false
    // Of a lane that was lost, its words would be taken for another job's, which has its number now.
    const canTell = (): boolean => !settled && this.#made.get(lane) === made && !this.#closed && this.#link.status === 'connected'
    const tell = (payload: Uint8Array): void => {
      if (canTell()) this.#link.send(reply, payload)
    }
    return {
      lane,
      turnId,
      conversationId,
      ...(edge === '' ? {} : { edge }),
      sequence,
      deliveries,
      waiting: pending,
      working: () => tell(inProgress),
      ack: () => {
        if (canTell()) this.#link.sendWithNext(reply, ack)
        settled = true
      },
      nak: (delayMs) => {
        tell(nak(delayMs))
        settled = true
      },
    }
  }

  #check(): void {
    if (this.#closed || this.#link.status === 'closed') throw new BusError('closed', 'the job queue is closed')
    if (this.#link.status === 'disconnected') throw new BusError('disconnected', 'the bus is away')
  }

  #ask<T>(what: string, work: Promise<T>): Promise<T> {
    return this.#requests.guard(work, { what, timeoutMs: answerTimeoutMs })
  }
}

function edgeHeaders(edge: string): MsgHdrs {
  const all = headers()
  all.set(edgeHeader, edge)
  return all
}
