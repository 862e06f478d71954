import type { EndTurn } from '../conversation-store.ts'

/** What an end's columns hold beside its plain fields: of the turn, where its run is granted by the same write, and of the reply. */
export interface EndColumns {
  readonly bridge: string | null
  readonly barrenGrants: number | null
  readonly startedAt: number | null
  readonly reason: string
  /** JSON, as the two that follow. */
  readonly error: string | null
  readonly usage: string | null
  readonly timing: string
}

export function endColumns({ end, usage, timing, granted }: EndTurn): EndColumns {
  return {
    bridge: granted?.bridge ?? null,
    barrenGrants: granted?.barrenGrants ?? null,
    startedAt: granted?.startedAt ?? null,
    reason: end.type === 'failed' ? 'failed' : end.reason,
    error: end.type === 'failed' ? JSON.stringify(end.error) : null,
    usage: usage === null ? null : JSON.stringify(usage),
    timing: JSON.stringify(timing),
  }
}
