import { busMessageBytes } from '../../../protocol/bus/subjects.ts'
import { BusError, type BusStatus, type Channel, type ChannelMessage, type RequestOptions, type Subscription } from '../channel.ts'
import { assertLiteralSubject } from '../subject.ts'
import type { Deliveries } from './deliveries.ts'

interface Subscriber {
  readonly handler: (message: ChannelMessage) => void
  /** Cleared by unsubscribe: then not even what is on its way is handed over. */
  active: boolean
}

interface Subscribers {
  readonly plain: Set<Subscriber>
  readonly groups: Map<string, Subscriber[]>
}

/** What all channels of one bus share. */
export interface ChannelHub {
  connected: boolean
  readonly subscribers: Map<string, Subscribers>
  readonly deliveries: Deliveries
  readonly onHandlerError: (error: unknown, subject: string) => void
}

export class MemoryChannel implements Channel {
  readonly #hub: ChannelHub
  readonly #onClosed: () => void
  readonly #listeners = new Set<(status: BusStatus) => void>()
  /** Take its subscribers off the hub. */
  readonly #removals = new Set<() => void>()
  /** Fail its requests under way. */
  readonly #failures = new Set<(error: BusError) => void>()
  #closing: Promise<void> | undefined
  #closed = false

  constructor(hub: ChannelHub, onClosed: () => void) {
    this.#hub = hub
    this.#onClosed = onClosed
  }

  get status(): BusStatus {
    if (this.#closed) return 'closed'
    return this.#hub.connected ? 'connected' : 'disconnected'
  }

  onStatus(listener: (status: BusStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tellStatus(status: BusStatus): void {
    if (status === 'disconnected') this.#failRequests('disconnected', 'the bus went away')
    for (const listener of [...this.#listeners]) listener(status)
  }

  publish(subject: string, payload: Uint8Array): void {
    if (this.#closed) throw new BusError('closed', 'the channel is closed')
    check(subject, payload)
    if (this.#hub.connected) this.#send(this.#receivers(subject), subject, payload, () => undefined)
  }

  subscribe(subject: string, handler: (message: ChannelMessage) => void, options: { readonly queue?: string } = {}): Subscription {
    if (this.#closing !== undefined) throw new BusError('closed', 'the channel is closed')
    assertLiteralSubject(subject)
    const subscriber: Subscriber = { handler, active: true }
    const remove = addSubscriber(this.#hub.subscribers, subject, subscriber, options.queue)
    this.#removals.add(remove)
    return {
      unsubscribe: () => {
        subscriber.active = false
        this.#removals.delete(remove)
        remove()
      },
    }
  }

  async request(subject: string, payload: Uint8Array, { timeoutMs, signal }: RequestOptions): Promise<Uint8Array> {
    if (this.#closing !== undefined) throw new BusError('closed', 'the channel is closed')
    check(subject, payload)
    if (!this.#hub.connected) throw new BusError('disconnected', 'the bus is away')
    if (signal?.aborted === true) throw new BusError('aborted', 'the request was aborted')
    const receivers = this.#receivers(subject)
    if (receivers.length === 0) throw new BusError('no_responders', `nobody answers ${subject}`)
    return new Promise<Uint8Array>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#failures.delete(fail)
      }
      const fail = (error: BusError): void => {
        end()
        reject(error)
      }
      const onAbort = (): void => fail(new BusError('aborted', 'the request was aborted'))
      const timer = setTimeout(() => fail(new BusError('timeout', `no answer from ${subject} within ${timeoutMs} ms`)), timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#failures.add(fail)
      this.#send(receivers, subject, payload, (answer) => {
        // Behind what was published before it, as both would share the wire.
        this.#hub.deliveries.add(answer.byteLength, () => {
          if (!this.#failures.has(fail)) return
          end()
          resolve(answer)
        })
      })
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const remove of this.#removals) remove()
    this.#removals.clear()
    this.#failRequests('closed', 'the channel is closed')
    await this.#hub.deliveries.passed()
    this.#closed = true
    this.#onClosed()
    for (const listener of [...this.#listeners]) listener('closed')
    this.#listeners.clear()
  }

  /** All plain subscribers, and one of each queue group by chance. */
  #receivers(subject: string): readonly Subscriber[] {
    const subscribers = this.#hub.subscribers.get(subject)
    if (subscribers === undefined) return []
    const { plain, groups } = subscribers
    return [...plain, ...[...groups.values()].map((members) => members[Math.floor(Math.random() * members.length)] as Subscriber)]
  }

  #send(receivers: readonly Subscriber[], subject: string, payload: Uint8Array, answer: (payload: Uint8Array) => void): void {
    const { deliveries, onHandlerError } = this.#hub
    let answered = false
    const respond = (reply: Uint8Array): void => {
      checkSize(reply)
      // An answer that crosses with the end of the connection is lost, as on a wire.
      if (answered || !this.#hub.connected) return
      answered = true
      answer(reply)
    }
    for (const subscriber of receivers) {
      const sent = deliveries.add(payload.byteLength, () => {
        if (!subscriber.active) return
        try {
          subscriber.handler({ subject, payload, respond })
        } catch (error) {
          onHandlerError(error, subject)
        }
      })
      if (!sent) onHandlerError(new BusError('full', 'a message was dropped, as too many wait for their handlers'), subject)
    }
  }

  #failRequests(code: 'closed' | 'disconnected', message: string): void {
    for (const fail of [...this.#failures]) fail(new BusError(code, message))
  }
}

function check(subject: string, payload: Uint8Array): void {
  assertLiteralSubject(subject)
  checkSize(payload)
}

function checkSize(payload: Uint8Array): void {
  if (payload.byteLength > busMessageBytes) throw new BusError('too_big', `${payload.byteLength} bytes, and a bus message has ${busMessageBytes} at most`)
}

/** Returns the function that takes it off again. */
function addSubscriber(all: Map<string, Subscribers>, subject: string, subscriber: Subscriber, queue: string | undefined): () => void {
  const subscribers: Subscribers = all.get(subject) ?? { plain: new Set(), groups: new Map() }
  all.set(subject, subscribers)
  const { plain, groups } = subscribers
  if (queue === undefined) plain.add(subscriber)
  else groups.set(queue, [...(groups.get(queue) ?? []), subscriber])
  return () => {
    if (queue === undefined) {
      plain.delete(subscriber)
    } else {
      const members = (groups.get(queue) ?? []).filter((member) => member !== subscriber)
      if (members.length > 0) groups.set(queue, members)
      else groups.delete(queue)
    }
    if (plain.size === 0 && groups.size === 0 && all.get(subject) === subscribers) all.delete(subject)
  }
}
