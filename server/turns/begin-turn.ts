/** From a request that says something to an accepted turn. A repetition under the same key, of the same user, comes out at the same turn. */
import { createHash } from 'node:crypto'
import { ChatError } from '../../protocol/errors.ts'
import { historyBytes, type ImportedMessage } from '../../protocol/imported-history.ts'
import { utf8Length } from '../../protocol/text.ts'
import type { CommandOf, ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import type { Creation } from '../../actors/creation.ts'
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

/** Rejects with ChatError. */
export async function beginTurn(service: Pick<ConversationService, 'create' | 'send' | 'delete'>, { userId, identity, traceparent, conversation, message, isKeyed, kept = false }: TurnBeginning): Promise<BegunTurn> {
  const isNew = typeof conversation !== 'number'
  const conversationId = isNew ? (await service.create(userId, { type: 'conversation.create', ...conversation.command }, conversation.creation)).conversation_id : conversation
  const broughtBytes = isNew ? historyBytes(conversation.creation.history) + utf8Length(conversation.command.system ?? '') : 0
  try {
    const accepted = await service.send(userId, { type: 'message.send', conversation_id: conversationId, ...message }, { identity, historyBytes: broughtBytes, ...(traceparent === null ? {} : { traceparent }), ...(kept ? { kept } : {}) })
    return { userId, conversationId, turnId: accepted.turn_id, accepted }
  } catch (error) {
    // Who is refused again and again must not leave a conversation each time.
    if (isNew && !isKeyed && isRefusal(error)) await service.delete(userId, { type: 'conversation.delete', conversation_id: conversationId }).catch(() => undefined)
    throw error
  }
}

/** Nothing was accepted, for certain. */
function isRefusal(error: unknown): boolean {
  return error instanceof ChatError && error.definition.status < 500
}

/** Of a user's own key, of any length, an id that fits; another for each API, and for each kind of thing that the key stands for. */
export function idOfKey(api: 'key' | 'v1', kind: 'conversation' | 'message', key: string): string {
  return `${api}:${createHash('sha256').update(`${kind}\0${key}`).digest('base64url')}`
}
