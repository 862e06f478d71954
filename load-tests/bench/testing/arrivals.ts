/** When turns begin, as offsets in milliseconds. */

/** As people come: independently of each other, `perSecond` on average. */
export function poisson(perSecond: number, durationMs: number): number[] {
  const times: number[] = []
  for (let at = 0; ; ) {
    at += (-Math.log(1 - Math.random()) / perSecond) * 1000
    if (at >= durationMs) return times
    times.push(at)
  }
}

export function burst(count: number): number[] {
  return Array.from({ length: count }, () => 0)
}

/** Calls `begin` at each time, with when it should have been (or, as timers are whole milliseconds, 1 ms later): what is late counts, too. Resolves with all outcomes. */
export async function atEach<T>(times: readonly number[], begin: (index: number, due: number) => Promise<T>): Promise<T[]> {
  const start = performance.now()
  const outcomes: Promise<T>[] = []
  for (const [index, time] of times.entries()) {
    const due = start + time
    const wait = due - performance.now()
    if (wait > 0.5) await new Promise((resolve) => setTimeout(resolve, wait))
    const outcome = begin(index, Math.min(due + 1, performance.now()))
    outcome.catch(() => undefined)
    outcomes.push(outcome)
  }
  return Promise.all(outcomes)
}
