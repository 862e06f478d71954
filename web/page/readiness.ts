import { Observable } from '../session/observable.ts'

export type Readiness = { readonly kind: 'unknown' } | { readonly kind: 'ready' } | { readonly kind: 'preparing'; readonly reasons: readonly string[] }

const askAgainMs = 1500

/**
 * Whether replies can be had, as the server tells at `/ready`: a model that is being loaded takes a while. It is asked
 * until it is ready, and again when `recheck` is called. Without an answer it says nothing: the connection's own state
 * tells of that.
 */
export class ReadinessWatch {
  readonly readiness = new Observable<Readiness>({ kind: 'unknown' })
  readonly #url: string
  #timer: ReturnType<typeof setTimeout> | undefined
  #asking = false

  constructor(url: string) {
    this.#url = url
  }

  recheck(): void {
    clearTimeout(this.#timer)
    if (!this.#asking) void this.#ask()
  }

  async #ask(): Promise<void> {
    this.#asking = true
    const readiness = await askReadiness(this.#url)
    this.#asking = false
    this.readiness.set(readiness)
    if (readiness.kind === 'preparing') this.#timer = setTimeout(() => this.recheck(), askAgainMs)
  }
}

async function askReadiness(url: string): Promise<Readiness> {
  try {
    const answer = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(5000) })
    if (answer.ok) return { kind: 'ready' }
    return answer.status === 503 ? { kind: 'preparing', reasons: reasonsIn(await answer.json()) } : { kind: 'unknown' }
  } catch {
    return { kind: 'unknown' }
  }
}

/** Of `{missing: [{part, reason}]}`, what is for people. */
function reasonsIn(answer: unknown): readonly string[] {
  const missing = typeof answer === 'object' && answer !== null && 'missing' in answer && Array.isArray(answer.missing) ? (answer.missing as unknown[]) : []
  return missing.flatMap((part) => (typeof part === 'object' && part !== null && 'reason' in part && typeof part.reason === 'string' ? [part.reason] : []))
}
