/** Waiting between tries: exponential, with jitter, so that what failed together does not return together. */
export interface RetrySettings {
  /** Tries after the first. */
  readonly count: number
  readonly baseMs: number
  readonly maxMs: number
}

/** Before try `retry`, counted from 1: half of the exponential delay is certain, half is chance. */
export function backoffMs(retry: number, { baseMs, maxMs }: RetrySettings, random: () => number = Math.random): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(retry - 1, 30))
  return full / 2 + (full / 2) * random()
}

/** Resolves after the delay, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })
}
