/** vLLM's error bodies: `{"error": {message, type, param, code}}`, where code is the HTTP status. */
export class HttpFault extends Error {
  override readonly name = 'HttpFault'
  readonly status: number
  readonly type: string
  /** The field at fault. Clients tell an overlong prompt by `input_tokens`. */
  readonly param: string | null

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message)
    this.status = status
    this.type = type
    this.param = param
  }
}

/** A body that is not of the right form. `field`: dotted path from the body. */
export function formFault(kind: string, field: string, message: string): HttpFault {
  const location = field === '' ? 'body' : `body.${field}`
  return new HttpFault(400, 'Bad Request', `1 validation error:\n  {'type': '${kind}', 'loc': '${location}', 'msg': '${message}'}`, location)
}

/** A body of the right form with a value that cannot be served. */
export function valueFault(message: string, param: string | null = null): HttpFault {
  return new HttpFault(400, 'BadRequestError', message, param)
}

export const busyFault = () =>
  new HttpFault(503, 'Service Unavailable', 'The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.')

/** What went wrong inside is logged, not sent. */
export const internalFault = () => new HttpFault(500, 'InternalServerError', 'The engine failed to complete the request.')

export const abortedByShutdownFault = () => new HttpFault(500, 'InternalServerError', 'The engine stopped before the reply was complete.')

export function faultBody({ message, type, param, status }: HttpFault): string {
  return JSON.stringify({ error: { message, type, param, code: status } })
}

/** Within a stream vLLM writes the same body with spaces, as Python's json does. */
export function faultEvent({ message, type, param, status }: HttpFault): string {
  return `{"error": {"message": ${JSON.stringify(message)}, "type": ${JSON.stringify(type)}, "param": ${JSON.stringify(param)}, "code": ${status}}}`
}
