/** From a request that says something to an accepted turn. A repetition under the same key comes out at the same turn. */
import { createHash, randomUUID } from 'node:crypto'
import { ChatError } from '../../protocol/errors.ts'
import { RequestFault } from '../../protocol/rest/decode.ts'
import { historyBytes, type ImportedMessage } from '../../protocol/imported-history.ts'
import type { ChatRequest, ContextMessage } from '../../protocol/rest/fields.ts'
import type { ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import type { Identity } from '../auth/authenticator.ts'
import type { RequestContext } from '../http/operation-group.ts'
import { requireUser } from './acting-user.ts'

export interface TurnRequest {
  readonly body: ChatRequest
  readonly headers: { readonly 'x-user-id'?: string; readonly 'idempotency-key'?: string }
  readonly identity: Identity
  readonly request: Pick<RequestContext, 'traceparent'>
}

export interface BegunTurn {
  readonly userId: string
  readonly conversationId: number
  readonly turnId: string
  readonly accepted: ReplyOf<'message.send'>
}

/** `kept`: its reply is written to its end, whether anybody listens or not. Rejects with ChatError. */
export async function beginTurn(service: Pick<ConversationService, 'create' | 'send' | 'delete'>, { body, headers, identity, request }: TurnRequest, kept: boolean): Promise<BegunTurn> {
  const userId = requireUser(identity, { header: headers['x-user-id'], field: body.user_id })
  const key = body.client_message_id ?? headers['idempotency-key']
  if (body.conversation_id !== undefined && (body.context ?? []).length > 0) {
    const message = 'A context is what a new conversation begins with: the one that conversation_id names has its own.'
    throw new RequestFault('invalid_field', message, { in: 'body', pointer: '/context', detail: message })
  }
  const conversationId = body.conversation_id ?? (await begunConversation(service, userId, key, body))
  const { model, params } = body
  const { traceparent } = request
  const command = {
    type: 'message.send' as const,
    conversation_id: conversationId,
    client_message_id: body.client_message_id ?? (key === undefined ? randomUUID() : idFrom('message', key)),
    text: body.message,
    ...(model === undefined ? {} : { model }),
    ...(params === undefined ? {} : { params }),
  }
  try {
    const accepted = await service.send(userId, command, { identity, historyBytes: historyBytes(historyFrom(body.context ?? [])), ...(traceparent === null ? {} : { traceparent }), ...(kept ? { kept } : {}) })
    return { userId, conversationId, turnId: accepted.turn_id, accepted }
  } catch (error) {
    // Who is refused again and again must not leave a conversation each time. One under a key is the next try's.
    if (body.conversation_id === undefined && key === undefined && isRefusal(error)) await service.delete(userId, { type: 'conversation.delete', conversation_id: conversationId }).catch(() => undefined)
    throw error
  }
}

/** Nothing was accepted, for certain. */
function isRefusal(error: unknown): boolean {
  return error instanceof ChatError && error.definition.status < 500
}

async function begunConversation(service: Pick<ConversationService, 'create'>, userId: string, key: string | undefined, { model, context = [] }: ChatRequest): Promise<number> {
  const created = await service.create(
    userId,
    { type: 'conversation.create', ...(key === undefined ? {} : { client_conversation_id: idFrom('conversation', key) }), ...(model === undefined ? {} : { model }) },
    { history: historyFrom(context) },
  )
  return created.conversation_id
}

/** Of a user's own key, of any length, an id that fits; another for each kind of thing that the key stands for. */
export function idFrom(kind: 'conversation' | 'message', key: string): string {
  return `key:${createHash('sha256').update(`${kind}\0${key}`).digest('base64url')}`
}

/** Plain strings are said by the two in turn, the user first. */
export function historyFrom(context: readonly ContextMessage[]): ImportedMessage[] {
  const history: ImportedMessage[] = []
  for (const message of context) {
    const role = history.at(-1)?.role === 'user' ? 'assistant' : 'user'
    history.push(typeof message === 'string' ? { role, content: message } : message)
  }
  return history
}
