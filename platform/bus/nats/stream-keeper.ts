/** Keeps streams in place: a server that comes back may have lost them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../../logging/logger.ts'
import type { NatsLink } from './nats-link.ts'

const retryMs = 1_000

export class StreamKeeper {
  readonly #link: NatsLink
  readonly #logger: Logger
  readonly #make: () => Promise<void>
  readonly #unwatch: () => void
  #preparing: Promise<void> | undefined
  #closed = false

  /** `make` makes what is missing, and may be called at any time. */
  constructor(link: NatsLink, logger: Logger, make: () => Promise<void>) {
    this.#link = link
    this.#logger = logger
    this.#make = make
    this.#unwatch = link.onStatus((status) => {
      if (status === 'connected') void this.prepare()
    })
  }

  /** Until it succeeds, or the bus goes away. Concurrent callers share one attempt. */
  prepare(): Promise<void> {
    this.#preparing ??= this.#tryToPrepare().finally(() => {
      this.#preparing = undefined
    })
    return this.#preparing
  }

  close(): void {
    this.#closed = true
    this.#unwatch()
  }

  async #tryToPrepare(): Promise<void> {
    while (!this.#closed && this.#link.status === 'connected') {
      try {
        return await this.#make()
      } catch (error) {
        if (this.#closed) return
        this.#logger.warn({ err: error }, 'JetStream streams cannot be prepared yet')
        await delay(retryMs, undefined, { ref: false })
      }
    }
  }
}
