/**
 * One operation of the HTTP API, as data: routes are bound to it, requests are decoded by it, and the OpenAPI document is
 * made from it.
 */
import type { Static, TObject, TSchema } from 'typebox'
import type { ErrorCode } from '../errors.ts'
import type { Permission } from '../permissions.ts'

export type Method = 'get' | 'post' | 'patch' | 'delete'

export interface ResponseDefinition {
  readonly description: string
  /** Absent: no body. */
  readonly schema?: TSchema
  /** `application/json` where absent. */
  readonly contentType?: string
  /** What the headers of its own tell, by name. */
  readonly headers?: Readonly<Record<string, string>>
  /** An example of it as `text/event-stream`, where it may come as that instead. */
  readonly eventStream?: string
  /** A body as it may come: a value of the schema, or of a stream the text. A test holds it against the schema. */
  readonly example?: unknown
}

export interface RequestExample {
  readonly params?: Readonly<Record<string, unknown>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, unknown>>
  readonly body?: unknown
}

export interface Operation {
  readonly method: Method
  /** Parameters in braces, each a whole segment: `/conversations/{conversation_id}/messages`. */
  readonly path: string
  /** `public`: asks for no credentials. `any`: asks for valid ones, whatever they allow. */
  readonly permission: Permission | 'public' | 'any'
  /** The path parameter that is a turn's id, where a ticket for the stream of that turn, in `ticket` of the query, stands in for credentials. */
  readonly streamTicketFor?: string
  readonly summary: string
  readonly description?: string
  /** Text in the address: properties are strings, integers, numbers or booleans. */
  readonly params?: TObject
  readonly query?: TObject
  /** Request headers with a meaning here, their names in lower case. */
  readonly headers?: TObject
  readonly body?: TSchema
  /** Fields of the body, at its top, that hold a message's text, and have its errors. */
  readonly texts?: readonly string[]
  /** Bytes of the body at most; 256 KiB where absent. */
  readonly bodyBytes?: number
  /** Levels of JSON that the body may have; 16 where absent. */
  readonly bodyDepth?: number
  /** A request as it may come, for the documentation: values as they are once decoded. A test holds them against the schemas. */
  readonly example?: RequestExample
  readonly responses: Readonly<Record<number, ResponseDefinition>>
  /** Errors of its own, besides those that any operation may answer with. */
  readonly errors: readonly ErrorCode[]
}

type Part<O, Name extends string> = O extends { readonly [N in Name]: infer Schema extends TSchema } ? Static<Schema> : Readonly<Record<never, never>>

export interface DecodedParts<O extends Operation> {
  readonly params: Part<O, 'params'>
  readonly query: Part<O, 'query'>
  readonly headers: Part<O, 'headers'>
  readonly body: Part<O, 'body'>
}
