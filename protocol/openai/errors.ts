/** Errors as clients of OpenAI's API read them. */
import Type, { type Static } from 'typebox'
import type { ChatError, ErrorCode } from '../errors.ts'
import { RequestFault } from '../rest/decode.ts'
import { refusedParameters } from './parameters.ts'

export const OpenAiError = Type.Object({
  error: Type.Object({
    message: Type.String(),
    type: Type.String(),
    param: Type.Union([Type.String(), Type.Null()], { description: 'The field at fault' }),
    code: Type.Union([Type.String(), Type.Null()]),
  }),
})
export type OpenAiError = Static<typeof OpenAiError>

/** Names that OpenAI has for the same, and that clients look for. */
const codes: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'invalid_api_key',
  rate_limited: 'rate_limit_exceeded',
  too_many_turns: 'rate_limit_exceeded',
  quota_exceeded: 'insufficient_quota',
  context_too_long: 'context_length_exceeded',
  text_too_long: 'string_above_max_length',
}

const unsupported = 'unsupported_parameter'

export function openAiError(error: ChatError): OpenAiError {
  const { message, code, definition } = error
  const type = typeOf(definition.status)
  const refused = refusedParameter(error)
  if (refused !== null) return { error: { message: `Unsupported parameter, or unsupported value of it: '${refused}'.`, type, param: refused, code: unsupported } }
  return { error: { message, type, param: paramOf(error), code: openAiCode(code) } }
}

function refusedParameter(error: ChatError): string | null {
  const fault = error instanceof RequestFault ? error.fault : null
  const name = fault?.in === 'body' ? (fault.pointer.split('/')[1] ?? '') : ''
  return refusedParameters.has(name) ? name : null
}

/** Codes that an operation answers with, where it may meet these errors. */
export function openAiCodes(codes: readonly ErrorCode[]): readonly string[] {
  return [...new Set([...codes.map(openAiCode), ...(codes.includes('invalid_field') ? [unsupported] : [])])]
}

function openAiCode(code: ErrorCode): string {
  return codes[code] ?? code
}

function typeOf(status: number): string {
  if (status >= 500) return 'server_error'
  switch (status) {
    case 401:
      return 'authentication_error'
    case 403:
      return 'permission_error'
    case 429:
      return 'rate_limit_error'
    default:
      return 'invalid_request_error'
  }
}

/** As OpenAI writes it: `messages[0].content`. */
function paramOf(error: ChatError): string | null {
  if (error.code === 'model_not_found') return 'model'
  const fault = error instanceof RequestFault ? error.fault : null
  if (fault === null) return null
  if (fault.in !== 'body') return fault.name
  const path = fault.pointer.split('/').slice(1).map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`))
  return path.join('').replace(/^\./, '') || null
}
