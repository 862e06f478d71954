/** A wait that the server asked for, within reason: timers take no more than 2^31 ms, and no server is worth waiting for longer. */
export function boundedWaitMs(askedMs: number): number {
  return Math.min(askedMs, 600_000)
}

/** Full jitter: anything up to a limit that doubles with each failure, so that the clients of a lost server do not return as one. */
export function backoffMs(failures: number, { baseMs, maxMs }: { readonly baseMs: number; readonly maxMs: number }): number {
  return Math.random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30))
}
