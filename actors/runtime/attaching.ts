/** Asks bridges for the text of runs that their owner does not hold: of those it took over, and of those that are silent. */
import type { ControlReply } from '../../protocol/bus/control.ts'
import type { ConversationEvent, Effect } from '../conversation/events.ts'
import type { ConversationState } from '../conversation/state.ts'
import type { BridgeRequest } from './bridge-control.ts'

const attachAnswerMs = 2_000
const abortAnswerMs = 2_000
/** A bridge that is asked for a run while another waits for the grant. */
const releaseAnswerMs = 1_000

interface Owner {
  readonly state: ConversationState
  readonly isDropped: boolean
  now(event: Extract<ConversationEvent, { type: 'attached' | 'released' }>): void
}

interface Bridges {
  now(): number
  control(bridge: string, request: BridgeRequest, timeoutMs: number): Promise<ControlReply | 'nobody' | null>
  pause(attempt: number): Promise<void>
}

/** Until the bridge has answered, or the run is no more this owner's to resume. Rejects when the process stops. */
export async function attach(owner: Owner, bridges: Bridges, effect: Extract<Effect, { type: 'attach' }>): Promise<void> {
  const { turnId, run, offset, idOffset } = effect
  for (let attempt = 1; ; attempt += 1) {
    const reply = await bridges.control(effect.bridge, { type: 'attach', turnId, run, offset, idOffset }, attachAnswerMs)
    owner.now({ type: 'attached', now: bridges.now(), turnId, run, offset, idOffset, answer: attachmentOf(reply) })
    // A bridge that cannot be reached may still generate, and sends to the owner before: nothing else would tell of it.
    if ((reply !== null && reply !== 'nobody') || !resumes(owner, turnId, run)) return
    await bridges.pause(attempt)
    if (!resumes(owner, turnId, run)) return
  }
}

/** Whether the bridge of a turn's run holds that still; takes what it has. True also where it does not answer. */
export async function isGeneratedStill(owner: Owner, bridges: Bridges, turnId: string): Promise<boolean> {
  const turn = owner.state.turns.find((each) => each.turnId === turnId)
  if (turn === undefined || turn.run === 0 || turn.bridge === null) return true
  const { run, bridge } = turn
  const [offset, idOffset] = [turn.text.length, turn.ids.count]
  const reply = await bridges.control(bridge, { type: 'attach', turnId, run, offset, idOffset }, releaseAnswerMs)
  if (reply === 'nobody' || reply?.type === 'unknown') {
    owner.now({ type: 'released', turnId, run })
    return false
  }
  const answer = attachmentOf(reply)
  if (answer !== null) owner.now({ type: 'attached', now: bridges.now(), turnId, run, offset, idOffset, answer })
  return true
}

/** All that the bridge ever sent of a run, which it stops; null where it does not say. */
export async function lastWord(bridges: Omit<Bridges, 'pause'>, { bridge, turnId, run }: Extract<Effect, { type: 'askAbort' }>): Promise<ConversationEvent> {
  const reply = await bridges.control(bridge, { type: 'abort', turnId, run }, abortAnswerMs)
  return { type: 'aborted', now: bridges.now(), text: reply !== 'nobody' && reply?.type === 'aborted' ? reply.text : null }
}

function resumes({ state, isDropped }: Owner, turnId: string, run: number): boolean {
  return !isDropped && state.turns.some((turn) => turn.turnId === turnId && turn.run === run && turn.state === 'resuming')
}

/** What the bridge has of a run beyond what it was told; null where it has none, or did not answer. */
function attachmentOf(reply: ControlReply | 'nobody' | null): { readonly text: string; readonly ids: Uint8Array } | null {
  return reply !== 'nobody' && reply?.type === 'attached' ? { text: reply.text, ids: reply.token_ids } : null
}
