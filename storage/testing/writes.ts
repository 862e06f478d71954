/** Makers of writes for tests. */
import { createHash } from 'node:crypto'
import { bucketOfId, newTurnId } from '../../protocol/ids.ts'
import type { AcceptTurn, BeginTurn, ClaimResult, ConversationRow, ConversationStore, ConversationWrite, EndTurn, OwnerToken, WriteResult } from '../conversation-store.ts'

let last = 0
/** No two are alike. */
export const unique = (prefix: string): string => `${prefix}-${(last += 1)}`

let lastEnd = Date.now()
/** No two ends are at one time, by which the store knows one from another. */
const nextEnd = (): number => (lastEnd += 1)

export const wide = { limit: 200, maxBytes: 256 * 1024 } as const

export function hashOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

export interface AcceptWishes {
  readonly content?: string
  readonly parentId?: number | null
  /** Answers this message again. */
  readonly existing?: number
  readonly clientMessageId?: string
  readonly turnId?: string
  readonly state?: AcceptTurn['state']
  readonly acceptedAt?: number
}

export function acceptTurn(conversationId: number, wishes: AcceptWishes = {}): AcceptTurn {
  const { content = 'hello', parentId = null, existing, clientMessageId = unique('message'), turnId = newTurnId(bucketOfId(conversationId)), state = 'queued', acceptedAt = Date.now() } = wishes
  return {
    turnId,
    clientMessageId,
    commandHash: hashOf(content),
    user: existing === undefined ? { type: 'new', content, parentId } : { type: 'existing', messageId: existing, parentId },
    state,
    lane: 'standard',
    model: null,
    params: { temperature: 0.5, stop: ['"quoted", {braces} \\ and ünïcödé'] },
    acceptedAt,
    deadlineAt: acceptedAt + 60_000,
  }
}

export function beginTurn(turnId: string, run = 1, wishes: Partial<BeginTurn> = {}): BeginTurn {
  return { turnId, run, attempt: 1, bridge: 'bridge-1', barrenGrants: 0, startedAt: Date.now(), ...wishes }
}

export function endTurn(turnId: string, run: number, content = 'a reply', wishes: Partial<EndTurn> = {}): EndTurn {
  return {
    turnId,
    run,
    attempt: 1,
    end: { type: 'finished', reason: 'stop' },
    content,
    usage: { prompt_tokens: 3, completion_tokens: 5 },
    timing: { queue_ms: 1, ttft_ms: 2, total_ms: 3 },
    model: 'model-a',
    cached: false,
    costUsd: 0.25,
    endedAt: nextEnd(),
    ...wishes,
  }
}

export type Committed = Extract<WriteResult, { status: 'committed' }>

/** A conversation that this store owns, and short ways to write to it. */
export class Owned {
  readonly store: ConversationStore
  readonly row: ConversationRow
  token: OwnerToken

  constructor(store: ConversationStore, row: ConversationRow, token: OwnerToken) {
    this.store = store
    this.row = row
    this.token = token
  }

  get id(): number {
    return this.row.conversationId
  }

  write(write: Omit<ConversationWrite, 'conversationId' | 'token'>, giveUpAfterMs?: number): Promise<WriteResult> {
    return this.store.write({ conversationId: this.id, token: this.token, ...write }, giveUpAfterMs === undefined ? {} : { giveUpAfterMs })
  }

  /** A finished turn. */
  async exchange(content: string, reply: string, parentId: number | null = null): Promise<{ readonly turnId: string; readonly userMessageId: number; readonly replyMessageId: number }> {
    const accept = acceptTurn(this.id, { content, parentId })
    const accepted = await this.write({ accept })
    if (accepted.status !== 'committed' || accepted.accepted === undefined) throw new Error(accepted.status)
    const ended = await this.write({ ends: [endTurn(accept.turnId, 0, reply)] })
    if (ended.status !== 'committed') throw new Error(ended.status)
    return { turnId: accept.turnId, ...accepted.accepted }
  }
}

export async function createConversation(store: ConversationStore, userId = unique('user')): Promise<ConversationRow> {
  return store.createConversation({ userId, clientConversationId: null, title: null, model: null, system: null })
}

export async function ownConversation(store: ConversationStore, userId?: string): Promise<Owned> {
  const row = await createConversation(store, userId)
  return new Owned(store, row, claimed(await store.claim(row.conversationId)).token)
}

export function claimed(result: ClaimResult): Extract<ClaimResult, { status: 'claimed' }> {
  if (result.status !== 'claimed') throw new Error(result.status)
  return result
}
