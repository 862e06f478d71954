/** Which codes an operation may answer with: its own, and those that come of what it is. */
import type { ErrorCode } from '../errors.ts'
import type { Operation } from '../rest/operation.ts'

/** Sorted by nothing but what they are about: request, credentials, limits, server. */
export function errorsOf({ permission, params, query, headers, body, texts, errors }: Operation): readonly ErrorCode[] {
  const asks = params !== undefined || query !== undefined || headers !== undefined || body !== undefined
  const codes: readonly ErrorCode[] = [
    ...(asks ? (['invalid_field'] as const) : []),
    ...(body === undefined ? [] : (['bad_body', 'unsupported_media_type', 'body_too_large', 'body_too_slow'] as const)),
    ...(texts === undefined ? [] : (['text_empty', 'text_too_long', 'text_not_well_formed'] as const)),
    ...(permission === 'public' ? [] : (['unauthenticated', 'forbidden'] as const)),
    ...errors,
    'rate_limited',
    'unavailable',
    'draining',
    'internal',
  ]
  return [...new Set(codes)]
}
