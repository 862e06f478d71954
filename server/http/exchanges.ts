/** All requests that are not over yet: their count, their clock, their end. */
import type { HttpResponse } from 'uWebSockets.js'
import type { Logger } from '../../platform/logging/logger.ts'
import { Exchange, type ExchangeOwner, type Outcome, type Stage } from './exchange.ts'
import type { HttpRequestContext } from './request-context.ts'

/** A stream whose client takes nothing for this long is closed. */
const stallMs = 30_000
/** An answer that is not taken by then is cut; where nothing of it is taken, the library ends the connection within 12 s. */
const sendingMs = 300_000

export interface ExchangesOptions {
  readonly monotonic: () => number
  /** Requests of one address that may be open at once; any number where absent. */
  readonly mostPerAddress?: number
  /** Told of each request once it is over. */
  readonly ended?: (outcome: Outcome) => void
  readonly logger: Logger
}

export class Exchanges implements ExchangeOwner {
  readonly #options: ExchangesOptions
  readonly #open = new Set<Exchange>()
  readonly #perAddress = new Map<string, number>()
  readonly #counts: Record<Stage, number> = { waiting: 0, sending: 0, streaming: 0, over: 0 }
  #isDraining = false
  #whenNone: (() => void)[] = []

  constructor(options: ExchangesOptions) {
    this.#options = options
  }

  /** Requests that wait for their answer. */
  get waiting(): number {
    return this.#counts.waiting
  }

  /** Whole answers that clients have not taken yet. */
  get sending(): number {
    return this.#counts.sending
  }

  /** Answers that are being streamed. */
  get streaming(): number {
    return this.#counts.streaming
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  monotonic(): number {
    return this.#options.monotonic()
  }

  /** To be called within the handler of the library. */
  begin(res: HttpResponse, request: HttpRequestContext): Exchange {
    const exchange = new Exchange(res, request, this)
    this.#open.add(exchange)
    const { address } = request
    const open = (this.#perAddress.get(address) ?? 0) + 1
    this.#perAddress.set(address, open)
    exchange.isTooMany = open > (this.#options.mostPerAddress ?? Infinity)
    this.#counts.waiting += 1
    return exchange
  }

  moved(exchange: Exchange, from: Stage, to: Stage): void {
    this.#counts[from] -= 1
    this.#counts[to] += 1
    if (to === 'over') this.#open.delete(exchange)
  }

  failed(error: unknown, request: string): void {
    this.#options.logger.error({ err: error, request }, 'an answer could not be sent')
  }

  over(outcome: Outcome): void {
    const { address } = outcome.request
    const open = (this.#perAddress.get(address) ?? 0) - 1
    if (open > 0) this.#perAddress.set(address, open)
    else this.#perAddress.delete(address)
    this.#options.ended?.(outcome)
    if (this.#open.size > 0) return
    for (const resolve of this.#whenNone.splice(0)) resolve()
  }

  /** To be called each second or so. */
  tick(): void {
    for (const exchange of this.#open) if (exchange.stalledMs() >= stallMs || exchange.sendingMs() >= sendingMs) exchange.giveUp()
  }

  /** Tells streams that they are to end, and resolves once all is answered and written; at the deadline by force. */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true
    for (const exchange of [...this.#open]) exchange.draining()
    if (this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs)
        this.#whenNone.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    this.cutAll()
  }

  cutAll(): void {
    for (const exchange of [...this.#open]) exchange.giveUp()
  }
}
