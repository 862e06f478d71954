/** From a request that says something to an accepted turn. A repetition under the same key, of the same user, comes out at the same turn. */
import { createHash } from 'node:crypto'
import { ChatError } from '../../protocol/errors.ts'
import { historyBytes, type ImportedMessage } from '../../protocol/imported-history.ts'
import { utf8Length } from '../../protocol/text.ts'
import type { CommandOf, ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConversationService, TurnOrigin } from '../../actors/conversation-service.ts'
import { beginning as beginningOf, type Creation } from '../../actors/creation.ts'
import type { Identity } from '../auth/authenticator.ts'

export interface NewConversation {
  readonly command: Omit<CommandOf<'conversation.create'>, 'type'>
  readonly creation: Creation & { readonly history: readonly ImportedMessage[] }
}

export interface TurnBeginning {
  readonly userId: string
  readonly identity: Identity
  readonly traceparent: string | null
  /** Its id, or what a new one begins with. */
  readonly conversation: number | NewConversation
  readonly message: Omit<CommandOf<'message.send'>, 'type' | 'conversation_id'>
  /** The request may come again: a conversation that was made for it is the next try's. */
  readonly isKeyed: boolean
  /** The reply is written to its end, whether anybody listens or not. */
  readonly kept?: boolean
}

export interface BegunTurn {
  readonly userId: string
  readonly conversationId: number
  readonly turnId: string
  readonly accepted: ReplyOf<'message.send'>
}

type Service = Pick<ConversationService, 'draw' | 'begin' | 'create' | 'send' | 'delete'>

/** Rejects with ChatError. */
export async function beginTurn(service: Service, beginning: TurnBeginning): Promise<BegunTurn> {
  const { userId, conversation, isKeyed } = beginning
  if (typeof conversation === 'number') return sendTo(service, beginning, conversation, 0)
  const { command: { title = null, model = null, system: told = null }, creation: { expiresAfterMs } } = conversation
  const { system, history } = beginningOf(told, conversation.creation.history)
  // Under a key it may be there already, and a history takes a statement of its own.
  if (isKeyed || history.length > 0) return sendToCreated(service, beginning, conversation)
  const drawn = await service.draw(userId)
  const made = { title, model, system, ...(expiresAfterMs === undefined ? {} : { expiresAfterMs }) }
  const accepted = await service.begin(userId, drawn, made, messageTo(beginning, drawn.conversationId), originOf(beginning, broughtBytes(conversation)))
  return begun(beginning, drawn.conversationId, accepted)
}

async function sendToCreated(service: Service, beginning: TurnBeginning, conversation: NewConversation): Promise<BegunTurn> {
  const { userId, isKeyed } = beginning
  const { conversation_id: conversationId } = await service.create(userId, { type: 'conversation.create', ...conversation.command }, conversation.creation)
  try {
    return await sendTo(service, beginning, conversationId, broughtBytes(conversation))
  } catch (error) {
    // Who is refused again and again must not leave a conversation each time.
    if (!isKeyed && isRefusal(error)) await service.delete(userId, { type: 'conversation.delete', conversation_id: conversationId }).catch(() => undefined)
    throw error
  }
}

async function sendTo(service: Service, beginning: TurnBeginning, conversationId: number, brought: number): Promise<BegunTurn> {
  return begun(beginning, conversationId, await service.send(beginning.userId, messageTo(beginning, conversationId), originOf(beginning, brought)))
}

function messageTo({ message }: TurnBeginning, conversationId: number): CommandOf<'message.send'> {
  return { type: 'message.send', conversation_id: conversationId, ...message }
}

function originOf({ identity, traceparent, kept = false }: TurnBeginning, brought: number): TurnOrigin {
  return { identity, historyBytes: brought, ...(traceparent === null ? {} : { traceparent }), ...(kept ? { kept } : {}) }
}

function begun({ userId }: TurnBeginning, conversationId: number, accepted: ReplyOf<'message.send'>): BegunTurn {
  return { userId, conversationId, turnId: accepted.turn_id, accepted }
}

function broughtBytes({ command, creation }: NewConversation): number {
  return historyBytes(creation.history) + utf8Length(command.system ?? '')
}

/** Nothing was accepted, for certain. */
function isRefusal(error: unknown): boolean {
  return error instanceof ChatError && error.definition.status < 500
}

/** Of a user's own key, of any length, an id that fits; another for each API, and for each kind of thing that the key stands for. */
export function idOfKey(api: 'key' | 'v1', kind: 'conversation' | 'message', key: string): string {
  return `${api}:${createHash('sha256').update(`${kind}\0${key}`).digest('base64url')}`
}
