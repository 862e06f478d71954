/** Operations with what carries them out. A handler throws ChatError for whatever it refuses. */
import type { ChatError } from '../../protocol/errors.ts'
import { createDecoder, type Decoder } from '../../protocol/rest/decode.ts'
import type { DecodedParts, Operation } from '../../protocol/rest/operation.ts'
import type { Identity } from '../auth/authenticator.ts'
import type { Answer, Headers, HttpAnswer } from './answer.ts'

/** What a handler knows of the request beyond its parts. */
export interface RequestContext {
  /** In the log, and in the answer's `X-Request-Id`. */
  readonly id: string
  /** Of the client, as `addressKey` tells it. */
  readonly address: string
  /** W3C Trace Context, where the client sent a well-formed one. */
  readonly traceparent: string | null
  /** The client went away before it had its answer. */
  readonly isGone: boolean
  /** Called once, when that happens; never once a stream was opened, which hears of it itself. */
  onGone(listener: () => void): void
}

export type Call<O extends Operation> = DecodedParts<O> & { readonly identity: Identity; readonly request: RequestContext }

export type Handlers<Operations extends Readonly<Record<string, Operation>>> = {
  readonly [Id in keyof Operations]: (call: Call<Operations[Id]>) => Answer | Promise<Answer>
}

export interface BoundOperation {
  readonly id: string
  readonly operation: Operation
  readonly decode: Decoder<Operation>
  readonly handle: (call: Call<Operation>) => Answer | Promise<Answer>
  readonly errorAnswer: (error: ChatError, headers: Headers) => HttpAnswer
}

/** `errorAnswer`: how an error looks to clients of these operations. */
export function bind<Operations extends Readonly<Record<string, Operation>>>(operations: Operations, handlers: Handlers<Operations>, errorAnswer: BoundOperation['errorAnswer']): readonly BoundOperation[] {
  return Object.entries(operations).map(([id, operation]) => ({
    id,
    operation,
    decode: createDecoder<Operation>(operation),
    handle: handlers[id as keyof Operations] as unknown as BoundOperation['handle'],
    errorAnswer,
  }))
}
