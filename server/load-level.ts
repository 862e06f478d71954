/** How busy the process is, as clients are told: from how long a new turn would wait. */
import type { Load } from '../protocol/websocket/fields.ts'

type Level = Load['level']

/** A level begins at this wait, and is left only at half of it, so that it doesn't flap. */
const busyMs = 3_000
const overloadedMs = 20_000

export function levelOf(etaMs: number, before: Level): Level {
  if (etaMs >= overloadedMs || (before === 'overloaded' && etaMs > overloadedMs / 2)) return 'overloaded'
  return etaMs >= busyMs || (before !== 'normal' && etaMs > busyMs / 2) ? 'busy' : 'normal'
}

/** Whoever is told `async` had better come back for the reply than wait for it. */
export function loadOf(level: Level, { queue_depth, eta_ms }: { readonly queue_depth: number; readonly eta_ms: number }): Load {
  return { level, queue_depth, eta_ms, advice: level === 'overloaded' ? 'async' : 'stream' }
}
