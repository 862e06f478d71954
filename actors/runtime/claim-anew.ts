import type { ConversationStore, OwnerToken, TurnRow } from '../../storage/conversation-store.ts'
import type { Turn } from '../conversation/turn.ts'

interface Claimant {
  readonly conversationId: number
  readonly isDropped: boolean
  readonly state: { readonly turns: readonly Turn[] }
}

interface ClaimHost {
  readonly store: Pick<ConversationStore, 'claim'>
  pause(attempt: number): Promise<void>
}

/**
 * A write was given up, and may have been committed all the same. Claiming anew fences it out and waits for its lock, so that
 * afterwards the rows tell. The new token where they are as the actor knows them; null where they are not, or it was dropped.
 */
export async function claimAnew(actor: Claimant, host: ClaimHost): Promise<OwnerToken | null> {
  for (let attempt = 1; ; attempt += 1) {
    await host.pause(attempt)
    // A claim now would fence out the conversation's next actor, which may be this process's own.
    if (actor.isDropped) return null
    const claimed = await host.store.claim(actor.conversationId).catch(() => null)
    if (claimed !== null) return claimed.status === 'claimed' && agree(actor.state.turns, claimed.unfinished) ? claimed.token : null
  }
}

function agree(turns: readonly Turn[], rows: readonly TurnRow[]): boolean {
  return rows.length === turns.length && rows.every((row) => turns.some((turn) => turn.turnId === row.turnId && turn.run === row.run && turn.attempt === row.attempt))
}
