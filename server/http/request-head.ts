/**
 * The head of a request, copied out of the library's own, which is gone once its handler returns. What uWebSockets.js lets
 * through although readers may disagree on what it means is a fault: the connection ends then, so that nobody can hide a
 * request in another's body (docs/decisions/0022-what-uwebsockets-leaves-to-us.md).
 */
import type { HttpRequest } from 'uWebSockets.js'

/** Of names and values together. The library bounds a head only while it waits for the rest of it. */
const mostHeadBytes = 16 * 1024
/** What is repeated here has no one meaning. */
const once = new Set(['authorization', 'content-encoding', 'content-length', 'content-type', 'host', 'idempotency-key', 'last-event-id', 'origin', 'transfer-encoding', 'x-api-key', 'x-user-id'])

export type HeadFault = 'bad_head' | 'head_too_large'

export class RequestHead {
  /** In lower case. */
  readonly method: string
  readonly path: string
  /** After the `?`; empty where there is none. */
  readonly query: string
  readonly fault: HeadFault | null
  readonly #headers: ReadonlyMap<string, string>

  constructor(req: Pick<HttpRequest, 'getMethod' | 'getUrl' | 'getQuery' | 'forEach'>) {
    this.method = req.getMethod()
    this.path = req.getUrl()
    this.query = req.getQuery() ?? ''
    const headers = new Map<string, string>()
    let fault: HeadFault | null = null
    let bytes = this.path.length + this.query.length
    req.forEach((name, value) => {
      bytes += name.length + value.length
      const before = headers.get(name)
      if (before !== undefined && once.has(name)) fault = 'bad_head'
      // Lines of one name are one list (RFC 9110, 5.3).
      headers.set(name, before === undefined ? value : `${before}, ${value}`)
    })
    this.#headers = headers
    if (bytes > mostHeadBytes) fault = 'head_too_large'
    this.fault = fault ?? (isFramedWell(headers) ? null : 'bad_head')
  }

  /** Empty where it is absent; `name` in lower case. */
  header(name: string): string {
    return this.#headers.get(name) ?? ''
  }

  has(name: string): boolean {
    return this.#headers.has(name)
  }

  get isHead(): boolean {
    return this.method === 'head'
  }

  /** Its body comes in chunks: where they end is told within the body itself. */
  get isChunked(): boolean {
    return this.#headers.has('transfer-encoding')
  }
}

function isFramedWell(headers: ReadonlyMap<string, string>): boolean {
  const length = headers.get('content-length')
  const coding = headers.get('transfer-encoding')
  return (length === undefined || /^\d{1,15}$/.test(length)) && (coding === undefined || coding.toLowerCase() === 'chunked')
}
