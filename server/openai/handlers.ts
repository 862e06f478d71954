/** What carries out the operations for OpenAI's clients. */
import { ChatError } from '../../protocol/errors.ts'
import type { ChatCompletionRequest } from '../../protocol/openai/chat-completion-request.ts'
import type { openAiOperations } from '../../protocol/openai/operations.ts'
import { RequestFault } from '../../protocol/rest/decode.ts'
import { checkText } from '../../protocol/text.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { json, type Answer, type Headers } from '../http/answer.ts'
import type { Handlers, RequestContext } from '../http/operation-group.ts'
import type { ModelDirectory } from '../models/model-directory.ts'
import type { AbandonedTurns } from '../turns/abandoned-turns.ts'
import { beginTurn, type BegunTurn } from '../turns/begin-turn.ts'
import { errorOf } from '../turns/reply-error.ts'
import { wholeReply } from '../turns/whole-reply.ts'
import { turnOf, userOf, type OpenAiCall } from './calls.ts'
import { ChatForm } from './chat-form.ts'
import { readMessages } from './chat-prompt.ts'
import { chunkStream } from './chunk-stream.ts'
import { CompletionForm } from './completion-form.ts'
import { callEnd } from './hermes.ts'
import { findModel, modelList, resolveModel } from './models.ts'
import type { ReplyForm } from './reply-form.ts'
import { paramsOf } from './sampling.ts'

export interface OpenAiContext {
  readonly service: ConversationService
  readonly models: ModelDirectory
  readonly abandoned: AbandonedTurns
  readonly logger: Logger
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Milliseconds between the comments of a stream that has nothing else to say. */
  readonly keepAliveMs: number
}

export function openAiHandlers(context: OpenAiContext): Handlers<typeof openAiOperations> {
  const { service, models } = context
  return {
    createChatCompletion: async ({ body, headers, identity, request }) => {
      const tools = body.tool_choice === 'none' ? [] : (body.tools ?? [])
      const endsWithCall = tools.length > 0 && body.parallel_tool_calls === false
      const call: OpenAiCall = {
        userId: userOf(identity, headers['x-user-id'], body.user),
        key: headers['idempotency-key'],
        identity,
        request,
        params: paramsOf({ ...body, max_tokens: body.max_completion_tokens ?? body.max_tokens ?? null }, endsWithCall ? [callEnd] : []),
        prompt: readMessages(body.messages, tools),
        kept: keptIn(body),
        model: await resolveModel(models, body.model),
      }
      const begun = await beginTurn(service, turnOf(call))
      const form = new ChatForm({ tools: tools.length > 0, includeUsage: body.stream_options?.include_usage === true, conversationId: call.kept === null ? null : begun.conversationId })
      return replyTo(context, begun, form, { call, streams: body.stream === true, model: body.model, request, clientRequestId: headers['x-client-request-id'] })
    },
    createCompletion: async ({ body, headers, identity, request }) => {
      const question = typeof body.prompt === 'string' ? body.prompt : (body.prompt[0] ?? '')
      const fault = checkText(question)
      if (fault !== null) throw new RequestFault(fault, undefined, { in: 'body', pointer: '/prompt', detail: new ChatError(fault).message })
      const call: OpenAiCall = {
        userId: userOf(identity, headers['x-user-id'], body.user),
        key: headers['idempotency-key'],
        identity,
        request,
        params: { ...paramsOf(body), raw: true },
        prompt: { system: null, history: [], question },
        kept: null,
        model: await resolveModel(models, body.model),
      }
      const begun = await beginTurn(service, turnOf(call))
      const form = new CompletionForm({ includeUsage: body.stream_options?.include_usage === true })
      return replyTo(context, begun, form, { call, streams: body.stream === true, model: body.model, request, clientRequestId: headers['x-client-request-id'] })
    },
    listOpenAiModels: async () => json(200, modelList(await models.models())),
    getOpenAiModel: async ({ params }) => json(200, findModel(await models.models(), params.model)),
  }
}

interface ReplyWishes {
  readonly call: OpenAiCall
  readonly streams: boolean
  readonly model: string
  readonly request: RequestContext
  readonly clientRequestId: string | undefined
}

async function replyTo({ service, abandoned, logger, now, keepAliveMs }: OpenAiContext, turn: BegunTurn, form: ReplyForm, { call, streams, model, request, clientRequestId }: ReplyWishes): Promise<Answer> {
  const created = Math.floor(now() / 1000)
  const id = `${form.idPrefix}-${turn.turnId}`
  const headers = headersOf(turn, call, clientRequestId)
  const onLeft = (): void => {
    // Under a key the client may come again, and what is kept may be read elsewhere.
    if (call.kept === null && call.key === undefined) stop(service, turn, logger)
    else abandoned.left(turn.userId, turn.turnId)
  }
  if (streams) return chunkStream({ service, turn, form, id, created, model, keepAliveMs, onLeft }, headers)
  const leaving = new AbortController()
  request.onGone(() => leaving.abort())
  const reply = await wholeReply({ service, turn }, leaving.signal)
  if (reply === null) {
    onLeft()
    throw new ChatError('internal', 'The client went away.')
  }
  if (reply.end.type !== 'finished') throw errorOf(reply.end)
  return json(200, form.whole({ id, created, model: reply.end.model ?? model }, reply.text, reply.end), headers)
}

/** Nobody will ever read the rest. */
function stop(service: ConversationService, { userId, turnId }: BegunTurn, logger: Logger): void {
  service.stop(userId, { type: 'turn.stop', turn_id: turnId }).catch((error: unknown) => {
    // It may have ended, and where nobody can be asked it is written to its end.
    if (!(error instanceof ChatError)) logger.error({ err: error, turn: turnId }, 'a call whose client left could not be stopped')
  })
}

function headersOf({ conversationId, turnId }: BegunTurn, { kept }: OpenAiCall, clientRequestId: string | undefined): Headers {
  return {
    'X-Correlation-Id': turnId,
    ...(kept === null ? {} : { 'X-Conversation-Id': String(conversationId) }),
    ...(clientRequestId === undefined ? {} : { 'X-Client-Request-Id': clientRequestId }),
  }
}

function keptIn({ store, metadata }: ChatCompletionRequest): OpenAiCall['kept'] {
  const named = metadata?.conversation_id
  if (store === true) return { conversationId: named === undefined ? null : Number(named) }
  if (named !== undefined) throw fault('/metadata/conversation_id', 'A conversation is gone on with only where store is true.')
  return null
}

function fault(pointer: string, message: string): RequestFault {
  return new RequestFault('invalid_field', message, { in: 'body', pointer, detail: message })
}
