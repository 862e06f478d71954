import { busMessageBytes } from '../../../protocol/bus/subjects.ts'
import { BusError, type BusStatus, type Channel, type ChannelMessage, type RequestOptions, type Subscription } from '../channel.ts'

interface Subscriber {
  readonly handler: (message: ChannelMessage) => void
  readonly queue: string | undefined
  active: boolean
}

/** What all channels of one bus share. */
export interface ChannelHub {
  connected: boolean
  readonly subscribers: Map<string, Set<Subscriber>>
  readonly onHandlerError: (error: unknown, subject: string) => void
}

export class MemoryChannel implements Channel {
  readonly #hub: ChannelHub
  readonly #listeners = new Set<(status: BusStatus) => void>()
  readonly #own = new Set<() => void>()
  readonly #requests = new Set<(error: BusError) => void>()
  #closed = false
  #inFlight = 0
  #drained: (() => void) | null = null

  constructor(hub: ChannelHub) {
    this.#hub = hub
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
    if (status === 'disconnected') this.#failRequests(new BusError('disconnected', 'the bus went away'))
    for (const listener of this.#listeners) listener(status)
  }

  publish(subject: string, payload: Uint8Array): void {
    this.#check(payload)
    if (!this.#hub.connected) return
    for (const subscriber of this.#receivers(subject)) this.#deliver(subscriber, subject, payload, () => undefined)
  }

  subscribe(subject: string, handler: (message: ChannelMessage) => void, options: { readonly queue?: string } = {}): Subscription {
    if (this.#closed) throw new BusError('closed', 'the channel is closed')
    const subscriber: Subscriber = { handler, queue: options.queue, active: true }
    const { subscribers } = this.#hub
    let set = subscribers.get(subject)
    if (set === undefined) subscribers.set(subject, (set = new Set()))
    const all = set
    all.add(subscriber)
    const unsubscribe = (): void => {
      subscriber.active = false
      all.delete(subscriber)
      if (all.size === 0 && subscribers.get(subject) === all) subscribers.delete(subject)
      this.#own.delete(unsubscribe)
    }
    this.#own.add(unsubscribe)
    return { unsubscribe }
  }

  async request(subject: string, payload: Uint8Array, { timeoutMs, signal }: RequestOptions): Promise<Uint8Array> {
    this.#check(payload)
    if (!this.#hub.connected) throw new BusError('disconnected', 'the bus is away')
    if (signal?.aborted === true) throw new BusError('aborted', 'the request was aborted')
    const receivers = this.#receivers(subject)
    if (receivers.length === 0) throw new BusError('no_responders', `nobody answers ${subject}`)
    return new Promise<Uint8Array>((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#requests.delete(fail)
        finish()
      }
      const fail = (error: BusError): void => settle(() => reject(error))
      const onAbort = (): void => fail(new BusError('aborted', 'the request was aborted'))
      const timer = setTimeout(() => fail(new BusError('timeout', `no answer from ${subject} within ${timeoutMs} ms`)), timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#requests.add(fail)
      let answered = false
      const respond = (answer: Uint8Array): void => {
        // An answer that crosses with the end of the connection is lost, as on a wire.
        if (answered || !this.#hub.connected || !this.#requests.has(fail)) return
        answered = true
        queueMicrotask(() => settle(() => resolve(answer)))
      }
      for (const subscriber of receivers) this.#deliver(subscriber, subject, payload, respond)
    })
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      for (const unsubscribe of [...this.#own]) unsubscribe()
      this.#failRequests(new BusError('closed', 'the channel is closed'))
      for (const listener of this.#listeners) listener('closed')
      this.#listeners.clear()
    }
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve
      })
    }
  }

  #check(payload: Uint8Array): void {
    if (this.#closed) throw new BusError('closed', 'the channel is closed')
    if (payload.byteLength > busMessageBytes) throw new BusError('too_big', `${payload.byteLength} bytes, and a bus message has ${busMessageBytes} at most`)
  }

  /** All plain subscribers, and one of each queue group by chance. */
  #receivers(subject: string): Subscriber[] {
    const set = this.#hub.subscribers.get(subject)
    if (set === undefined) return []
    const chosen: Subscriber[] = []
    const groups = new Map<string, Subscriber[]>()
    for (const subscriber of set) {
      if (subscriber.queue === undefined) chosen.push(subscriber)
      else groups.set(subscriber.queue, [...(groups.get(subscriber.queue) ?? []), subscriber])
    }
    for (const members of groups.values()) {
      const member = members[Math.floor(Math.random() * members.length)]
      if (member !== undefined) chosen.push(member)
    }
    return chosen
  }

  /** Later, as over a wire, and in the order of publication. */
  #deliver(subscriber: Subscriber, subject: string, payload: Uint8Array, respond: (payload: Uint8Array) => void): void {
    this.#inFlight += 1
    setImmediate(() => {
      try {
        if (subscriber.active && this.#hub.connected) subscriber.handler({ subject, payload, respond })
      } catch (error) {
        this.#hub.onHandlerError(error, subject)
      } finally {
        this.#inFlight -= 1
        if (this.#inFlight === 0) this.#drained?.()
      }
    })
  }

  #failRequests(error: BusError): void {
    for (const fail of [...this.#requests]) fail(error)
  }
}
