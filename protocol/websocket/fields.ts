import Type, { type Static } from 'typebox'
import { turnIdPattern } from '../ids.ts'
import { limits } from './limits.ts'

const maxSafe = Number.MAX_SAFE_INTEGER

/** `sequence * 1024 + bucket`, 53 bits. */
export const ConversationId = Type.Integer({ minimum: 1, maximum: maxSafe, description: 'Id of a conversation: sequence * 1024 + bucket' })
export const MessageId = Type.Integer({ minimum: 1, maximum: maxSafe, description: 'Id of a message; ids rise within a conversation' })
export const TurnId = Type.String({
  pattern: turnIdPattern,
  description: 'UUIDv7 of a turn (the correlation id of REST)',
})
export const ClientId = Type.String({ minLength: 1, maxLength: limits.clientIdLength, description: 'Idempotency key, chosen by the client' })
export const Ref = Type.Optional(Type.Union([Type.String({ maxLength: limits.refLength }), Type.Number()], { description: 'Echoed in the one reply to this command' }))
export const EchoedRef = Type.Optional(Type.Union([Type.String(), Type.Number()]))
/** Length in UTF-8, emptiness and well-formedness are checked apart, so that each fault has its own code. */
export const Text = Type.String({ description: 'Well-formed Unicode without U+0000, at most 32 KiB of UTF-8' })
export const Offset = Type.Integer({ minimum: 0, maximum: maxSafe, description: 'UTF-16 code units from the start of the reply' })
export const Attempt = Type.Integer({ minimum: 1, maximum: maxSafe, description: 'Rises only when a reply had to start anew' })
export const Timestamp = Type.String({ format: 'date-time', description: 'ISO 8601, UTC' })
export const Milliseconds = Type.Number({ minimum: 0, description: 'Milliseconds' })
export const Count = Type.Integer({ minimum: 0, maximum: maxSafe })
export const ModelName = Type.String({ minLength: 1, maxLength: limits.modelLength, description: 'Name of a model' })
export const Title = Type.String({ minLength: 1, maxLength: limits.titleLength })

/** Sampling parameters of one turn. */
export const Params = Type.Object({
  temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2, description: '0: always the likeliest token' })),
  top_p: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1, description: 'Sample among the likeliest tokens that make up this share' })),
  max_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 131072, description: 'Length of the reply at most' })),
  presence_penalty: Type.Optional(Type.Number({ minimum: -2, maximum: 2, description: 'Above 0: tokens that the reply has already become less likely' })),
  frequency_penalty: Type.Optional(Type.Number({ minimum: -2, maximum: 2, description: 'As presence_penalty, for each time that the reply has a token' })),
  seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1, description: 'Of the random numbers that sampling draws' })),
  stop: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: limits.stopStringLength }), { maxItems: limits.stopStrings, description: 'The reply ends before the first of these' })),
  raw: Type.Optional(Type.Boolean({ description: 'The text is the prompt as it is: no chat template, no system message, no history' })),
})
export type Params = Static<typeof Params>

export const FinishReason = Type.Union([Type.Literal('stop'), Type.Literal('length'), Type.Literal('stopped'), Type.Literal('filtered')])
export type FinishReason = Static<typeof FinishReason>

export const Usage = Type.Object({
  prompt_tokens: Type.Integer({ minimum: 0, maximum: maxSafe, description: 'Tokens of the context' }),
  completion_tokens: Type.Integer({ minimum: 0, maximum: maxSafe, description: 'Tokens of the reply' }),
})
export type Usage = Static<typeof Usage>

export const Timing = Type.Object({
  queue_ms: Type.Number({ minimum: 0, description: 'From accept to begin' }),
  ttft_ms: Type.Union([Milliseconds, Type.Null()], { description: 'From accept to the first text; null where none came' }),
  total_ms: Type.Number({ minimum: 0, description: 'From accept to the end' }),
})
export type Timing = Static<typeof Timing>

export const TurnError = Type.Object({
  code: Type.String({ description: 'One of the catalogue; see docs/errors.md' }),
  message: Type.String({ description: 'For people' }),
  retryable: Type.Boolean({ description: 'Whether turn.regenerate may succeed' }),
})
export type TurnError = Static<typeof TurnError>

export const Role = Type.Union([Type.Literal('system'), Type.Literal('user'), Type.Literal('assistant')])
export type Role = Static<typeof Role>

/** A stored message. A reply has `reason` (`failed` with `error`), and may be partial or empty. */
export const Message = Type.Object({
  message_id: MessageId,
  role: Role,
  content: Type.String({ description: 'The text; of a reply, as far as it came' }),
  parent_id: Type.Union([MessageId, Type.Null()], { description: 'The message that this one answers or follows; null: a root' }),
  turn_id: Type.Union([TurnId, Type.Null()], { description: 'The turn that this message began or is the reply of' }),
  client_message_id: Type.Optional(ClientId),
  created_at: Timestamp,
  reason: Type.Optional(Type.Union([FinishReason, Type.Literal('failed')], { description: 'Of a reply: how it ended' })),
  error: Type.Optional(TurnError),
  model: Type.Optional(ModelName),
  attempt: Type.Optional(Attempt),
})
export type Message = Static<typeof Message>

export const TurnState = Type.Union([Type.Literal('waiting'), Type.Literal('queued'), Type.Literal('running'), Type.Literal('resuming')])
export type TurnState = Static<typeof TurnState>

/** How the text of replies comes. */
export const Pace = Type.Union([Type.Literal('live'), Type.Literal('whole')], { description: 'live: text as it is written; whole: the text of a reply at once, just before its end' })
export type Pace = Static<typeof Pace>

export const LoadLevel = Type.Union([Type.Literal('normal'), Type.Literal('busy'), Type.Literal('overloaded')])
export const Load = Type.Object({
  level: LoadLevel,
  queue_depth: Type.Integer({ minimum: 0, maximum: maxSafe, description: 'Turns that wait for a model' }),
  eta_ms: Type.Number({ minimum: 0, description: 'Time until a new turn would begin' }),
  advice: Type.Union([Type.Literal('stream'), Type.Literal('async')], { description: 'async: the wait is long, better to come back for the reply' }),
})
export type Load = Static<typeof Load>
