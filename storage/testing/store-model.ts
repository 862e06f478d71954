/** One conversation by the rules of the port, in memory: what a store's outcomes and contents are held against. */
import fc from 'fast-check'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { ConversationWrite, TurnRow, WriteResult } from '../conversation-store.ts'
import { acceptTurn, beginTurn, endTurn, type Owned } from './writes.ts'

type Write = Omit<ConversationWrite, 'conversationId' | 'token'>

export type Step =
  | { readonly type: 'send'; readonly clientId: number; readonly content: string; readonly again: boolean; readonly waits: boolean; readonly interrupts: boolean }
  | { readonly type: 'begin'; readonly turn: number; readonly runAhead: number; readonly bridge: string }
  | { readonly type: 'end'; readonly turn: number; readonly runAhead: number; readonly failed: boolean; readonly promotes: boolean; readonly grants: boolean }
  | { readonly type: 'rename'; readonly title: string }
  | { readonly type: 'remove' }

/** Small ranges, so that repeats and misses are common. */
export const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.oneof(fc.record({ type: fc.constant('rename' as const), title: fc.constantFrom('t', 'u') }), fc.record({ type: fc.constant('remove' as const) })) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('send' as const), clientId: fc.nat(12), content: fc.constantFrom('a', 'b'), again: fc.boolean(), waits: fc.boolean(), interrupts: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('begin' as const), turn: fc.nat(5), runAhead: fc.constantFrom(0, 1, 1, 1, 2), bridge: fc.constantFrom('p', 'q') }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('end' as const), turn: fc.nat(5), runAhead: fc.constantFrom(0, 0, 0, 1), failed: fc.boolean(), promotes: fc.boolean(), grants: fc.boolean() }) },
)

interface ModelTurn extends TurnRow {
  readonly hash: string
  readonly endedAt: number | null
}

export class StoreModel {
  readonly owned: Owned
  #turns: ModelTurn[] = []
  #messages: Message[] = []
  #title: string | null = null
  #removed = false

  constructor(owned: Owned) {
    this.owned = owned
  }

  get turns(): readonly ModelTurn[] {
    return this.#turns
  }

  get title(): string | null {
    return this.#title
  }

  get removed(): boolean {
    return this.#removed
  }

  /** The outcome of a write, which is applied where it is `committed` but for the ids, which `learn` brings. */
  apply({ accept, ends = [], begin, promote, rename, remove }: Write): WriteResult['status'] {
    if (remove === true) {
      this.#removed = true
      this.#turns = []
      this.#messages = []
    }
    if (this.#removed) return remove === true ? 'committed' : 'stale'
    this.#title = rename ?? this.#title
    const before = accept && this.#turns.find(({ clientMessageId }) => clientMessageId === accept.clientMessageId)
    if (accept && before) return before.hash === hex(accept.commandHash) ? 'duplicate' : 'conflict'
    for (const end of ends) {
      const turn = this.#turn(end.turnId)
      if (turn === undefined || turn.endedAt !== null) return 'missed'
      if (end.granted === undefined ? turn.run !== end.run : turn.run !== end.run - 1 && !(turn.run === 0 && end.run === 2)) return 'missed'
    }
    if (begin) {
      const turn = this.#turn(begin.turnId)
      if (turn === undefined || turn.endedAt !== null) return 'missed'
      if (turn.run === begin.run && turn.bridge === begin.bridge) return 'committed'
      if (turn.run !== begin.run - 1 && !(turn.run === 0 && begin.run === 2)) return 'missed'
      this.#change(begin.turnId, { state: 'running', run: begin.run, bridge: begin.bridge, startedAt: turn.startedAt ?? begin.startedAt })
    }
    if (promote !== undefined) {
      const turn = this.#turn(promote)
      if (turn?.state !== 'waiting' && turn?.state !== 'queued') return 'missed'
      this.#change(promote, { state: 'queued' })
    }
    for (const end of ends) {
      const turn = this.#turn(end.turnId) as ModelTurn
      this.#change(end.turnId, { state: end.end.type, endedAt: end.endedAt })
      this.#messages.push({
        message_id: turn.replyMessageId, role: 'assistant', content: end.content, parent_id: turn.userMessageId, turn_id: turn.turnId, created_at: new Date(end.endedAt).toISOString(),
        reason: end.end.type === 'failed' ? 'failed' : end.end.reason, ...(end.end.type === 'failed' ? { error: end.end.error } : {}), model: 'model-a', attempt: 1,
      })
    }
    return 'committed'
  }

  learn({ accept }: Write, result: WriteResult): void {
    if (accept === undefined || result.status !== 'committed' || result.accepted === undefined) return
    const { userMessageId, replyMessageId } = result.accepted
    const { turnId, clientMessageId, state, lane, model, params, acceptedAt, deadlineAt, user } = accept
    this.#turns.push({
      turnId, conversationId: this.owned.id, userId: this.owned.row.userId, clientMessageId, userMessageId, parentId: user.parentId, replyMessageId, state, attempt: 1, run: 0, bridge: null,
      barrenGrants: 0, lane, model, params, acceptedAt, startedAt: null, deadlineAt, hash: hex(accept.commandHash), endedAt: null,
    })
    if (user.type === 'existing') return
    this.#messages.push({
      message_id: userMessageId, role: 'user', content: user.content, parent_id: user.parentId, turn_id: turnId, client_message_id: clientMessageId, created_at: new Date(acceptedAt).toISOString(),
    })
  }

  sortedMessages(): Message[] {
    return [...this.#messages].sort((a, b) => a.message_id - b.message_id)
  }

  unfinished(): TurnRow[] {
    return this.#turns.filter(({ endedAt }) => endedAt === null).map(({ hash: _hash, endedAt: _endedAt, ...row }) => row)
  }

  #turn(turnId: string): ModelTurn | undefined {
    return this.#turns.find((turn) => turn.turnId === turnId)
  }

  #change(turnId: string, change: Partial<ModelTurn>): void {
    this.#turns = this.#turns.map((turn) => (turn.turnId === turnId ? { ...turn, ...change } : turn))
  }
}

/** Fits the step to the conversation as it stands: half of the steps should succeed. */
export function writeFor(model: StoreModel, step: Step): Write {
  const turn = model.turns.at(-1 - ('turn' in step ? step.turn : 0))
  switch (step.type) {
    case 'rename':
      return { rename: step.title }
    case 'remove':
      return { remove: true }
    case 'send': {
      const { clientId, content, again, waits, interrupts } = step
      const accept = acceptTurn(model.owned.id, {
        content, clientMessageId: `m${clientId}`, state: waits ? 'waiting' : 'queued', parentId: turn?.parentId ?? null, ...(again && turn ? { existing: turn.userMessageId } : {}),
      })
      return interrupts && turn ? { accept, ends: [endTurn(turn.turnId, turn.run, 'cut')] } : { accept }
    }
    case 'begin':
      return { begin: beginTurn(turn?.turnId ?? unknownTurn, (turn?.run ?? 0) + step.runAhead, { bridge: step.bridge }) }
    case 'end': {
      const end = step.failed
        ? { type: 'failed' as const, error: { code: 'internal', message: 'Something', retryable: true } }
        : { type: 'finished' as const, reason: 'length' as const }
      const next = model.turns.find(({ state }) => state === 'waiting')
      const wishes = step.grants ? { end, granted: { bridge: 'p', barrenGrants: 0, startedAt: Date.now() } } : { end }
      return { ends: [endTurn(turn?.turnId ?? unknownTurn, (turn?.run ?? 0) + step.runAhead + (step.grants ? 1 : 0), 'reply', wishes)], ...(step.promotes && next && next !== turn ? { promote: next.turnId } : {}) }
    }
  }
}

const unknownTurn = '01900000-0000-7000-8000-000000000000'

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
