/** Puts answers on the wire, as uWebSockets.js wants it: corked, once, and only as fast as they are taken. */
import { STATUS_CODES } from 'node:http'
import type { HttpResponse } from 'uWebSockets.js'
import { mergeHeaders, type Headers, type HttpAnswer } from './answer.ts'
import { securityHeaders } from './security-headers.ts'

/** Bodies up to this are copied into the socket's buffer where the connection ends with them, as only that way it does. */
const copiedBytes = 64 * 1024

type Head = { readonly status: number; readonly headers: Headers }

export interface Sending {
  readonly isHead: boolean
  /** The connection ends with the answer. */
  readonly closes: boolean
}

/**
 * Not to be called once the request was aborted. True once the library has all of it; else the rest goes as the client
 * takes it, and `done` is called then, or never where the client goes away. Meanwhile the library takes no other request
 * of the connection, so that one which reads nothing holds one answer and no more.
 */
export function sendAnswer(res: HttpResponse, answer: HttpAnswer, { isHead, closes }: Sending, done: () => void): boolean {
  requireOneLine(answer)
  let all = true
  res.cork(() => {
    const { body } = answer
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    // Only with a body at hand can the library end the connection; else the client is asked to.
    const ends = closes && !isHead && bytes !== null && bytes.byteLength <= copiedBytes
    const tellsToClose = closes && !ends
    writeHead(res, tellsToClose ? { ...answer, headers: { ...answer.headers, Connection: 'close' } } : answer)
    if (bytes === null) {
      res.endWithoutBody()
    } else if (isHead) {
      // Told by hand: with its own argument for the length the library takes the response for unfinished.
      res.writeHeader('Content-Length', String(bytes.byteLength))
      res.endWithoutBody()
    } else if (ends) {
      res.end(bytes, true)
    } else {
      all = sendAsTaken(res, bytes, done)
    }
  })
  return all
}

/** The head of an answer that is written bit by bit. */
export function sendHead(res: HttpResponse, head: Head): void {
  requireOneLine(head)
  res.cork(() => writeHead(res, head))
}

/** Whatever a handler puts into a header, it makes no other header of it, and no answer: the library writes it as it is. */
function requireOneLine({ headers }: Head): void {
  for (const [name, value] of Object.entries(headers)) if (/[\0\r\n]/.test(value)) throw new Error(`the header ${name} would be several`)
}

function writeHead(res: HttpResponse, { status, headers }: Head): void {
  res.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`)
  for (const [name, value] of Object.entries(mergeHeaders(securityHeaders, headers))) res.writeHeader(name, value)
}

function sendAsTaken(res: HttpResponse, body: Uint8Array, done: () => void): boolean {
  const [, isDone] = res.tryEnd(body, body.byteLength)
  if (isDone) return true
  res.onWritable((offset) => {
    const [taken, isDoneNow] = res.tryEnd(body.subarray(offset), body.byteLength)
    if (isDoneNow) done()
    return taken
  })
  return false
}
