import { nanos } from '@nats-io/transport-node'
import { DiscardPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType, type JetStreamClient, type JetStreamManager, type StoredMsg, type StreamConfig } from '@nats-io/jetstream'
import { BusMessageError, decodeDeadLetterMessage, encodeBus } from '../../../protocol/bus/codec.ts'
import { busVersion } from '../../../protocol/bus/subjects.ts'
import type { Logger } from '../../logging/logger.ts'
import { BusError } from '../channel.ts'
import type { DeadLetter, DeadLetterLimits, DeadLetterPage, DeadLetters, StoredDeadLetter } from '../dead-letters.ts'
import { assertLiteralSubject } from '../subject.ts'
import { asBusError } from './bus-fault.ts'
import { isApiError, makeOrUpdate, streamNameInUse, streamNotFound } from './make-or-update.ts'
import type { NatsLink } from './nats-link.ts'
import { NatsRequests } from './nats-requests.ts'
import { StreamKeeper } from './stream-keeper.ts'

export interface DeadLetterStreamOptions extends DeadLetterLimits {
  /** Servers that hold each letter: 1, or 3 in a cluster. */
  readonly replicas: number
}

const answerTimeoutMs = 5_000
const stream = 'dead-letters'
const subjectOf = (turnId: string): string => `dead-letters.${turnId}`

export class NatsDeadLetters implements DeadLetters {
  readonly #link: NatsLink
  readonly #logger: Logger
  readonly #requests: NatsRequests
  readonly #client: JetStreamClient
  readonly #manager: JetStreamManager
  readonly #keeper: StreamKeeper | null
  #closed = false

  private constructor(link: NatsLink, manager: JetStreamManager, options: DeadLetterStreamOptions | null, logger: Logger) {
    this.#link = link
    this.#logger = logger
    this.#requests = new NatsRequests(link)
    this.#client = jetstream(link.connection)
    this.#manager = manager
    this.#keeper = options === null ? null : new StreamKeeper(link, logger, () => this.#ask(makeStream(manager, options)))
  }

  /** Makes the stream where it is missing; not with null, for whoever only reads: a stream that is missing is empty then. */
  static async open(link: NatsLink, options: DeadLetterStreamOptions | null, logger: Logger): Promise<NatsDeadLetters> {
    const manager = await jetstreamManager(link.connection, { timeout: answerTimeoutMs })
    if (options !== null) await makeStream(manager, options)
    return new NatsDeadLetters(link, manager, options, logger)
  }

  async add(letter: DeadLetter): Promise<void> {
    this.#check()
    assertLiteralSubject(letter.turnId)
    await this.#serve(this.#client.publish(subjectOf(letter.turnId), encodeBus(messageOf(letter))))
  }

  async list({ after = 0, limit }: { readonly after?: number; readonly limit: number }): Promise<DeadLetterPage> {
    this.#check()
    const letters: StoredDeadLetter[] = []
    for (let from = after + 1; ; ) {
      const message = await this.#find({ seq: from, next_by_subj: subjectOf('*') })
      if (message === null) return { letters, hasMore: false }
      const letter = this.#read(message)
      if (letter !== null && letters.length === limit) return { letters, hasMore: true }
      if (letter !== null) letters.push(letter)
      from = message.seq + 1
    }
  }

  async get(turnId: string): Promise<StoredDeadLetter | null> {
    this.#check()
    assertLiteralSubject(turnId)
    const message = await this.#find({ last_by_subj: subjectOf(turnId) })
    return message === null ? null : this.#read(message)
  }

  async discard(turnId: string): Promise<boolean> {
    this.#check()
    assertLiteralSubject(turnId)
    const message = await this.#find({ last_by_subj: subjectOf(turnId) })
    if (message === null) return false
    return this.#serve(this.#manager.streams.deleteMessage(stream, message.seq, false))
  }

  close(): Promise<void> {
    this.#closed = true
    this.#keeper?.close()
    this.#requests.close()
    return Promise.resolve()
  }

  async #find(query: { readonly last_by_subj: string } | { readonly seq: number; readonly next_by_subj: string }): Promise<StoredMsg | null> {
    try {
      return await this.#ask(this.#manager.streams.getMessage(stream, query))
    } catch (error) {
      if (this.#keeper === null && isApiError(error, streamNotFound)) return null
      throw asBusError(error)
    }
  }

  /** Null for what no process of ours has written. */
  #read({ data, seq, subject }: StoredMsg): StoredDeadLetter | null {
    try {
      const { turn_id, conversation_id, lane, reason, attempt, run, bridge, failed_at } = decodeDeadLetterMessage(data)
      return { turnId: turn_id, conversationId: conversation_id, lane, reason, attempt, run, bridge, failedAt: failed_at, position: seq }
    } catch (error) {
      if (!(error instanceof BusMessageError)) throw error
      this.#logger.error({ err: error, subject }, 'a dead letter cannot be read')
      return null
    }
  }

  #check(): void {
    if (this.#closed || this.#link.status === 'closed') throw new BusError('closed', 'the dead letters are closed')
    if (this.#link.status === 'disconnected') throw new BusError('disconnected', 'the bus is away')
  }

  #ask<T>(work: Promise<T>): Promise<T> {
    return this.#requests.guard(work, { what: stream, timeoutMs: answerTimeoutMs })
  }

  async #serve<T>(work: Promise<T>): Promise<T> {
    try {
      return await this.#ask(work)
    } catch (error) {
      throw asBusError(error)
    }
  }
}

async function makeStream(manager: JetStreamManager, options: DeadLetterStreamOptions): Promise<void> {
  const config = streamConfig(options)
  await makeOrUpdate(manager.streams.add(config), streamNameInUse, () => manager.streams.update(stream, config))
}

function streamConfig({ capacity, maxAgeMs, replicas }: DeadLetterStreamOptions): Partial<StreamConfig> & { readonly name: string } {
  return {
    name: stream,
    subjects: [subjectOf('*')],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: replicas,
    // A turn's later letter takes the place of the earlier one; and where there are too many, the oldest go.
    discard: DiscardPolicy.Old,
    max_msgs_per_subject: 1,
    max_msgs: capacity,
    max_age: nanos(maxAgeMs),
    max_msg_size: 4096,
  }
}

function messageOf({ turnId, conversationId, lane, reason, attempt, run, bridge, failedAt }: DeadLetter) {
  return { v: busVersion, turn_id: turnId, conversation_id: conversationId, lane, reason, attempt, run, bridge, failed_at: failedAt }
}
