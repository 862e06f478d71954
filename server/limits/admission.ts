/** Whether an HTTP request is taken, by how many came before it: from its address, then of its user and key. */
import { ChatError } from '../../protocol/errors.ts'
import type { LimitMetrics, LimitName } from '../../platform/limits/limit-metrics.ts'
import type { Limit } from '../../platform/limits/limits.ts'
import { windows, type Plans } from '../../platform/limits/plan.ts'
import { LimitError } from '../../actors/limits/limit-error.ts'
import { payersOf, type Account } from '../../actors/limits/payers.ts'
import type { PlanWindows } from '../../actors/limits/plan-windows.ts'
import type { Headers } from '../http/answer.ts'
import { RequestWindows, type RequestWindow } from './request-windows.ts'

export interface AdmissionOptions {
  readonly plans: Plans
  readonly windows: PlanWindows
  /** Of this process: it protects this process, and costs nothing to ask. */
  readonly addresses: Limit
  /** What that has in a minute. */
  readonly addressPoints: number
  readonly metrics: LimitMetrics
  readonly monotonic: () => number
}

const mostRefused = 10_000

/** `headers` are for the answer, whichever it is. */
export interface Admitted {
  readonly headers: Headers
  readonly refusal: ChatError | null
}

export class Admission {
  readonly #options: AdmissionOptions
  readonly #requests: RequestWindows
  /** Addresses, the oldest refusal first. */
  readonly #refusedUntil = new Map<string, number>()

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#requests = new RequestWindows(options.windows, options.monotonic)
  }

  /** Before anything else is done for the request. */
  async meet(address: string): Promise<Admitted> {
    const { addresses, addressPoints, metrics } = this.#options
    const { allowed, remaining, resetMs, retryAfterMs } = await addresses.take(address)
    const headers = fieldsOf('requests_per_address', { points: addressPoints, remaining, resetMs })
    if (allowed) return { headers, refusal: null }
    metrics.refused('requests_per_address')
    this.#refuse(address, retryAfterMs)
    return { headers, refusal: new ChatError('rate_limited', 'Too many requests from this address in a minute.', { retryAfterMs }) }
  }

  /** As `meet`, for a handshake, which is decided at once: what is refused is so from the next one on. Null, or the milliseconds to wait. */
  greet(address: string): number | null {
    const until = this.#refusedUntil.get(address)
    const waitMs = until === undefined ? 0 : until - this.#options.monotonic()
    if (waitMs > 0) {
      this.#options.metrics.refused('requests_per_address')
      return waitMs
    }
    this.#refusedUntil.delete(address)
    void this.meet(address)
    return null
  }

  /** `named`: the user that the request is for, where it says so beside its body. */
  async admit(account: Account, named: string | undefined): Promise<Admitted> {
    const { plans, metrics } = this.#options
    const found = (await Promise.all(payersOf(plans, named ?? null, account).map((payer) => this.#requests.take(payer)))).filter((each) => each !== null)
    const [tightest] = found.sort((a, b) => Number(a.allowed) - Number(b.allowed) || a.remaining - b.remaining)
    if (tightest === undefined) return { headers: {}, refusal: null }
    const headers = fieldsOf('requests_per_minute', tightest)
    if (tightest.allowed) return { headers, refusal: null }
    metrics.refused('requests_per_minute')
    return { headers, refusal: new ChatError('rate_limited', 'Too many requests in a minute.', { retryAfterMs: tightest.resetMs }) }
  }

  #refuse(address: string, forMs: number): void {
    this.#refusedUntil.delete(address)
    this.#refusedUntil.set(address, this.#options.monotonic() + forMs)
    const [oldest] = this.#refusedUntil.keys()
    if (this.#refusedUntil.size > mostRefused && oldest !== undefined) this.#refusedUntil.delete(oldest)
  }
}

/** Of the window that a turn was refused for; none for other errors. */
export function fieldsOfRefusal(error: ChatError): Headers {
  if (!(error instanceof LimitError)) return {}
  const seconds = windows[error.window]
  return fieldsOf(error.window, { points: error.points, remaining: 0, resetMs: error.retryAfterMs ?? 0 }, seconds)
}

/** `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers-10 has them: structured fields, times in seconds. */
function fieldsOf(name: LimitName, { points, remaining, resetMs }: Pick<RequestWindow, 'points' | 'remaining' | 'resetMs'>, seconds = 60): Headers {
  return { 'RateLimit-Policy': `"${name}";q=${points};w=${seconds}`, RateLimit: `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1000)}` }
}
