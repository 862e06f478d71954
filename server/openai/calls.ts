/** From a call to an accepted turn. A repetition under the same key, of the same user, comes out at the same turn. */
import { createHash, randomUUID } from 'node:crypto'
import { ChatError } from '../../protocol/errors.ts'
import { historyBytes } from '../../protocol/imported-history.ts'
import { utf8Length } from '../../protocol/text.ts'
import type { Params } from '../../protocol/websocket/fields.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import type { Identity } from '../auth/authenticator.ts'
import { actingUser } from '../auth/authorization.ts'
import type { RequestContext } from '../http/operation-group.ts'
import type { ChatPrompt } from './chat-prompt.ts'

/** Whose an unnamed call is, where credentials say nothing of a user: on a laptop. */
const unnamedUser = 'openai'

/** What is not kept is deleted after this; until then its key stands for it. */
const unkeptMs = 600_000

export interface OpenAiCall {
  readonly userId: string
  readonly key: string | undefined
  readonly identity: Identity
  readonly request: Pick<RequestContext, 'traceparent'>
  /** Undefined: the default. */
  readonly model: string | undefined
  readonly params: Params
  readonly prompt: ChatPrompt
  /** `conversationId` null: a new one. */
  readonly kept: { readonly conversationId: number | null } | null
}

export interface BegunCall {
  readonly userId: string
  readonly conversationId: number
  readonly turnId: string
}

/** Throws ChatError `forbidden`. `label` names the user only where the credentials may act for others: clients put anything there. */
export function userOf(identity: Identity, named: string | undefined, label: string | null | undefined): string {
  if (named !== undefined) return actingUser(identity, named) ?? unnamedUser
  if (identity.actsForOthers && label !== undefined && label !== null && label !== '') return label
  return identity.userId ?? unnamedUser
}

/** Rejects with ChatError. */
export async function beginCall(service: Pick<ConversationService, 'create' | 'send' | 'delete'>, call: OpenAiCall): Promise<BegunCall> {
  const { userId, key, identity, request, model, params, prompt, kept } = call
  const conversationId = kept?.conversationId ?? (await newConversation(service, call))
  const { traceparent } = request
  const command = {
    type: 'message.send' as const,
    conversation_id: conversationId,
    client_message_id: key === undefined ? randomUUID() : idFrom('message', key),
    text: prompt.question,
    ...(model === undefined ? {} : { model }),
    params,
  }
  try {
    const accepted = await service.send(userId, command, { identity, historyBytes: kept?.conversationId === conversationId ? 0 : historyBytes(prompt.history) + utf8Length(prompt.system ?? ''), ...(traceparent === null ? {} : { traceparent }) })
    return { userId, conversationId, turnId: accepted.turn_id }
  } catch (error) {
    // Who is refused again and again must not leave a conversation each time. One under a key is the next try's.
    const isOurs = kept?.conversationId !== conversationId && key === undefined
    if (isOurs && error instanceof ChatError && error.definition.status < 500) await service.delete(userId, { type: 'conversation.delete', conversation_id: conversationId }).catch(() => undefined)
    throw error
  }
}

async function newConversation(service: Pick<ConversationService, 'create'>, { userId, key, model, prompt: { system, history }, kept }: OpenAiCall): Promise<number> {
  const created = await service.create(
    userId,
    {
      type: 'conversation.create',
      ...(key === undefined ? {} : { client_conversation_id: idFrom('conversation', key) }),
      ...(model === undefined || kept === null ? {} : { model }),
      ...(system === null ? {} : { system }),
    },
    { history, ...(kept === null ? { expiresAfterMs: unkeptMs } : {}) },
  )
  return created.conversation_id
}

/** Of a key of any length an id that fits; another for each kind of thing that the key stands for. */
function idFrom(kind: 'conversation' | 'message', key: string): string {
  return `v1:${createHash('sha256').update(`${kind}\0${key}`).digest('base64url')}`
}
