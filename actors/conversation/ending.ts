/** How a turn ends: what is stored, and what its clients are told. */
import type { DeadLetter } from '../../platform/bus/dead-letters.ts'
import type { FinishReason, TurnError, Usage } from '../../protocol/websocket/fields.ts'
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import type { EndTurn } from '../../storage/conversation-store.ts'
import type { Ended } from './state.ts'
import type { Turn } from './turn.ts'

export interface EndFacts {
  readonly end: { readonly type: 'finished'; readonly reason: FinishReason } | { readonly type: 'failed'; readonly error: TurnError }
  readonly usage?: Usage | null
  readonly model?: string | null
  readonly cached?: boolean
  readonly costUsd?: number | null
  readonly granted?: EndTurn['granted']
  /** Nobody tries any more: an operator may. */
  readonly deadLetter?: boolean
}

export function endTurn(turn: Turn, now: number, facts: EndFacts): Ended {
  return {
    turn,
    write: {
      turnId: turn.turnId,
      run: turn.run,
      attempt: turn.attempt,
      end: facts.end,
      content: turn.text,
      usage: facts.usage ?? null,
      timing: {
        queue_ms: Math.max(0, (turn.startedAt ?? now) - turn.acceptedAt),
        ttft_ms: turn.firstTextAt === null ? null : Math.max(0, turn.firstTextAt - turn.acceptedAt),
        total_ms: Math.max(0, now - turn.acceptedAt),
      },
      model: facts.model ?? turn.model,
      cached: facts.cached ?? false,
      costUsd: facts.costUsd ?? null,
      endedAt: now,
      ...(facts.granted === undefined ? {} : { granted: facts.granted }),
      ...(facts.deadLetter === true ? { deadLetter: true } : {}),
    },
  }
}

/** Of a turn that was given up. */
export function deadLetterOf(conversationId: number, { turn, write }: Ended): DeadLetter | null {
  if (write.deadLetter !== true || write.end.type !== 'failed') return null
  const { turnId, lane, run, bridge } = turn
  return { turnId, conversationId, lane, reason: write.end.error.code, attempt: write.attempt, run, bridge, failedAt: write.endedAt }
}

export function endEvent({ turn, write }: Ended): ServerEvent {
  if (write.end.type === 'failed') {
    return { type: 'turn.failed', turn_id: turn.turnId, attempt: write.attempt, message_id: turn.replyMessageId, end: write.content.length, error: write.end.error }
  }
  return {
    type: 'turn.finished',
    turn_id: turn.turnId,
    attempt: write.attempt,
    message_id: turn.replyMessageId,
    reason: write.end.reason,
    end: write.content.length,
    usage: write.usage,
    timing: write.timing,
    model: write.model,
    cached: write.cached,
    cost_usd: write.costUsd,
  }
}
