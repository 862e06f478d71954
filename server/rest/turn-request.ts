/** What `POST /chat` and `POST /stream-chat` ask for, as the beginning of a turn. */
import { randomUUID } from 'node:crypto'
import { RequestFault } from '../../protocol/rest/decode.ts'
import type { ImportedMessage } from '../../protocol/imported-history.ts'
import type { ChatRequest, ContextMessage } from '../../protocol/rest/fields.ts'
import type { Identity } from '../auth/authenticator.ts'
import type { RequestContext } from '../http/operation-group.ts'
import { idOfKey, type TurnBeginning } from '../turns/begin-turn.ts'
import { requireUser } from './acting-user.ts'

export interface TurnRequest {
  readonly body: ChatRequest
  readonly headers: { readonly 'x-user-id'?: string; readonly 'idempotency-key'?: string }
  readonly identity: Identity
  readonly request: Pick<RequestContext, 'traceparent'>
}

/** `kept`: its reply is written to its end, whether anybody listens or not. Throws ChatError. */
export function readTurnRequest({ body, headers, identity, request: { traceparent } }: TurnRequest, kept: boolean): TurnBeginning {
  const userId = requireUser(identity, { header: headers['x-user-id'], field: body.user_id })
  const key = body.client_message_id ?? headers['idempotency-key']
  const { conversation_id: conversationId, context = [], model, params } = body
  if (conversationId !== undefined && context.length > 0) {
    const message = 'A context is what a new conversation begins with: the one that conversation_id names has its own.'
    throw new RequestFault('invalid_field', message, { in: 'body', pointer: '/context', detail: message })
  }
  const chosen = model === undefined ? {} : { model }
  return {
    userId,
    identity,
    traceparent,
    conversation: conversationId ?? {
      command: { ...(key === undefined ? {} : { client_conversation_id: idOfKey('key', 'conversation', key) }), ...chosen },
      creation: { history: historyFrom(context) },
    },
    message: {
      client_message_id: body.client_message_id ?? (key === undefined ? randomUUID() : idOfKey('key', 'message', key)),
      text: body.message,
      ...chosen,
      ...(params === undefined ? {} : { params }),
    },
    isKeyed: key !== undefined,
    kept,
  }
}

/** Plain strings are said by the two in turn, the user first. */
function historyFrom(context: readonly ContextMessage[]): ImportedMessage[] {
  const history: ImportedMessage[] = []
  for (const message of context) {
    const role = history.at(-1)?.role === 'user' ? 'assistant' : 'user'
    history.push(typeof message === 'string' ? { role, content: message } : message)
  }
  return history
}
