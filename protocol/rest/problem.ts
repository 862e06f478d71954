/** Problem details (RFC 9457): how every error looks over HTTP, outside `/v1`. */
import Type, { type Static } from 'typebox'
import { errorCatalogue, type ErrorCode } from '../errors.ts'

export const ProblemField = Type.Object({
  in: Type.Union([Type.Literal('body'), Type.Literal('path'), Type.Literal('query'), Type.Literal('header')]),
  pointer: Type.Optional(Type.String({ description: 'In a body: JSON Pointer (RFC 6901) to the field' })),
  name: Type.Optional(Type.String({ description: 'Elsewhere: name of the parameter or header' })),
  detail: Type.String({ description: 'For people' }),
})

export const Problem = Type.Object({
  type: Type.String({ format: 'uri-reference', description: 'Where the code is explained; about:blank for what has no code' }),
  title: Type.String({ description: 'What the code means, for people; the same for every problem of this type' }),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ description: 'This problem, for people' }),
  code: Type.Optional(Type.String({ description: 'One of the catalogue' })),
  retryable: Type.Optional(Type.Boolean({ description: 'Whether the same request may succeed later, unchanged' })),
  errors: Type.Optional(Type.Array(ProblemField, { description: 'What is wrong with the request' })),
})
export type Problem = Static<typeof Problem>

/** `type` and `title` of problems with this code. */
export function problemType(code: ErrorCode): Pick<Problem, 'type' | 'title'> {
  return { type: `/docs/errors#${code}`, title: errorCatalogue[code].message.replace(/\.$/, '') }
}
