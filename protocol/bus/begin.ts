import Type, { type Static } from 'typebox'
import { Attempt, ConversationId, MessageId, ModelName, Params, Role, TurnId } from '../websocket/fields.ts'
import { Traceparent } from './origin.ts'

export const Version = Type.Integer({ minimum: 0 })
export const Run = Type.Integer({ minimum: 1, description: 'The grant under which a bridge generates; every later message names it' })
export const processNames = { pattern: '^[A-Za-z0-9_-]+$', maxLength: 64 } as const
export const ProcessName = Type.String({ minLength: 1, ...processNames })
/** Token ids as unsigned 32-bit little-endian integers, one after another. The highest bit marks an id that is no text: an end of sequence, after which the reply has stopped. */
export const TokenIds = Type.Refine(Type.Unsafe<Uint8Array>({ description: 'Binary' }), (value) => value instanceof Uint8Array && value.byteLength % 4 === 0, () => 'must be binary, four bytes a token id')

/** A bridge that pulled a job asks for the grant. */
export const BeginRequest = Type.Object({
  v: Version,
  turn_id: TurnId,
  conversation_id: ConversationId,
  bridge: ProcessName,
  default_model: ModelName,
  fresh: Type.Optional(Type.Boolean({ description: 'This bridge holds the run and cannot go on from its text: grant a new attempt' })),
})
export type BeginRequest = Static<typeof BeginRequest>

export const ContextMessage = Type.Object({
  message_id: MessageId,
  role: Role,
  content: Type.String(),
  imported: Type.Optional(Type.Boolean({ description: 'It came with the conversation, and belongs to no turn' })),
})
export type ContextMessage = Static<typeof ContextMessage>

/** What an earlier run has shown, to go on from: `text` is exactly what `token_ids` say. */
export const ResumePoint = Type.Object({ text: Type.String(), token_ids: TokenIds, model: ModelName })
export type ResumePoint = Static<typeof ResumePoint>

export const BeginGranted = Type.Object({
  v: Version,
  type: Type.Literal('granted'),
  run: Run,
  attempt: Attempt,
  edge: ProcessName,
  user_id: Type.String(),
  model: ModelName,
  params: Params,
  system: Type.Union([Type.String(), Type.Null()]),
  messages: Type.Array(ContextMessage, { description: 'Oldest first; the last is the user message to answer. The newest page of the branch' }),
  more: Type.Union([MessageId, Type.Null()], { description: 'Ask turn.context for the page that ends with this message' }),
  deadline_at: Type.Integer({ description: 'Milliseconds since the epoch' }),
  resume: Type.Union([ResumePoint, Type.Null()]),
  traceparent: Type.Optional(Traceparent),
})
export type BeginGranted = Static<typeof BeginGranted>

/** Ended, or not to be begun now: ack the job. */
export const BeginGone = Type.Object({ v: Version, type: Type.Literal('gone') })
/** Another run was heard a moment ago, or nothing can be committed: nak the job with this delay. */
export const BeginBusy = Type.Object({ v: Version, type: Type.Literal('busy'), retry_ms: Type.Integer({ minimum: 0 }) })

export const BeginReply = Type.Union([BeginGranted, BeginGone, BeginBusy])
export type BeginReply = Static<typeof BeginReply>

export const ContextRequest = Type.Object({ v: Version, conversation_id: ConversationId, leaf: MessageId })
export type ContextRequest = Static<typeof ContextRequest>
export const ContextReply = Type.Object({
  v: Version,
  messages: Type.Array(ContextMessage),
  more: Type.Union([MessageId, Type.Null()]),
})
export type ContextReply = Static<typeof ContextReply>

