/** What a call of an OpenAI client asks for. */
import { randomUUID } from 'node:crypto'
import type { Params } from '../../protocol/websocket/fields.ts'
import type { Identity } from '../auth/authenticator.ts'
import { actingUser } from '../auth/authorization.ts'
import type { RequestContext } from '../http/operation-group.ts'
import { idOfKey, type TurnBeginning } from '../turns/begin-turn.ts'
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

/** Throws ChatError `forbidden`. `label` names the user only where the credentials may act for others: clients put anything there. */
export function userOf(identity: Identity, named: string | undefined, label: string | null | undefined): string {
  if (named !== undefined) return actingUser(identity, named) ?? unnamedUser
  if (identity.actsForOthers && label !== undefined && label !== null && label !== '') return label
  return identity.userId ?? unnamedUser
}

/** The call as the beginning of a turn. */
export function turnOf({ userId, key, identity, request: { traceparent }, model, params, prompt: { system, history, question }, kept }: OpenAiCall): TurnBeginning {
  const chosen = model === undefined ? {} : { model }
  return {
    userId,
    identity,
    traceparent,
    conversation: kept?.conversationId ?? {
      command: {
        ...(key === undefined ? {} : { client_conversation_id: idOfKey('v1', 'conversation', key) }),
        ...(kept === null ? {} : chosen),
        ...(system === null ? {} : { system }),
      },
      creation: { history, ...(kept === null ? { expiresAfterMs: unkeptMs } : {}) },
    },
    message: { client_message_id: key === undefined ? randomUUID() : idOfKey('v1', 'message', key), text: question, ...chosen, params },
    isKeyed: key !== undefined,
  }
}
