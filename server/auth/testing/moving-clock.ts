import type { Clock } from '../../../platform/clock.ts'

/** A clock that a test moves on. */
export interface MovingClock extends Clock {
  pass(ms: number): void
}

export function movingClock(): MovingClock {
  let now = Date.UTC(2026, 5, 1)
  let elapsed = 1_000_000
  return {
    now: () => now,
    monotonic: () => elapsed,
    pass: (ms) => {
      now += ms
      elapsed += ms
    },
  }
}
