import { nanos, type Msg } from '@nats-io/transport-node'
import { BusError } from '../channel.ts'
import type { JobInbox, JobInboxes } from './job-inboxes.ts'
import type { NatsLink } from './nats-link.ts'

/** Jobs that the server has said are there, and that do not come, have gone to others. Those that come later are collected all the same. */
const quietMs = 2
/** Beyond the wait itself, of which the server tells the end. */
const graceMs = 500

/** Nothing there, and the time is over. */
const ordinaryEnds = new Set([404, 408])

const text = new TextEncoder()
const nakNow = text.encode('-NAK')

/** Of a delivery, as its reply subject tells. */
export interface DeliveryInfo {
  readonly deliveries: number
  readonly sequence: number
  /** Jobs not delivered yet. */
  readonly pending: number
}

/** `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<sequence>.<consumer sequence>.<time>.<pending>[.<random>]` */
export function deliveryInfo(reply: string): DeliveryInfo {
  const words = reply.split('.')
  const first = words.length === 9 ? 4 : 6
  return { deliveries: Number(words[first]), sequence: Number(words[first + 1]), pending: Number(words[first + 4]) }
}

/**
 * One pull request, by hand: the client library's ends with its wait or when all are there, and drops what is on its way
 * when it is ended before, so that those jobs would be missing for an ack wait. This one ends with the first jobs; and
 * whenever it ends, what still comes is collected before.
 */
export class JobPull {
  /**
   * The jobs that came; empty where it was given up first, or the bus went away. Rejects with BusError `disconnected`
   * where the consumer cannot serve.
   */
  readonly messages: Promise<readonly Msg[]>
  readonly #link: NatsLink
  readonly #max: number
  readonly #taken: Msg[] = []
  readonly #inboxes: JobInboxes
  readonly #inbox: JobInbox
  #finish: () => void = () => undefined
  #timer: NodeJS.Timeout
  /** The server owes this request nothing more. */
  #isAnswered = false
  #refusal: string | undefined
  #isGivenUp = false

  constructor(link: NatsLink, inboxes: JobInboxes, apiSubject: string, max: number, waitMs: number) {
    this.#link = link
    this.#inboxes = inboxes
    this.#max = max
    const finished = new Promise<void>((resolve) => {
      this.#finish = resolve
    })
    this.#inbox = inboxes.take((message) => this.#take(message))
    this.#timer = setTimeout(this.#finish, waitMs + graceMs)
    const request = waitMs > 0 ? { batch: max, expires: nanos(waitMs) } : { batch: max, no_wait: true }
    link.send(apiSubject, text.encode(JSON.stringify(request)), this.#inbox.subject)
    this.messages = this.#collect(finished)
  }

  giveUp(): void {
    this.#isGivenUp = true
    this.#finish()
  }

  #take(message: Msg): void {
    if (message.headers !== undefined && message.headers.code > 0) {
      // No job, but how the request ended.
      this.#isAnswered = true
      if (!ordinaryEnds.has(message.headers.code)) this.#refusal = `${message.headers.code} ${message.headers.description}`
      return this.#finish()
    }
    this.#taken.push(message)
    this.#isAnswered = this.#taken.length >= this.#max
    if (this.#isAnswered || deliveryInfo(message.reply ?? '').pending === 0) return this.#finish()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#finish, quietMs)
  }

  async #collect(finished: Promise<void>): Promise<readonly Msg[]> {
    const unwatch = this.#link.onStatus(this.#finish)
    await finished
    unwatch()
    clearTimeout(this.#timer)
    // An answer that was broken off may still come to its inbox.
    if (this.#isAnswered && this.#link.status === 'connected') this.#inboxes.free(this.#inbox)
    else await this.#inboxes.leave(this.#inbox)
    clearTimeout(this.#timer)
    if (this.#link.status !== 'connected') return []
    if (!this.#isGivenUp) {
      if (this.#taken.length === 0 && this.#refusal !== undefined) throw new BusError('disconnected', `the job queue cannot be read: ${this.#refusal}`)
      return this.#taken
    }
    for (const message of this.#taken) message.respond(nakNow)
    return []
  }
}
