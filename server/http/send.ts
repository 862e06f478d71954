/** Puts answers on the wire, as uWebSockets.js wants it: corked, once, and large bodies only as fast as they are taken. */
import { STATUS_CODES } from 'node:http'
import type { HttpResponse } from 'uWebSockets.js'
import type { Headers, HttpAnswer } from './answer.ts'
import { securityHeaders } from './security-headers.ts'

/** Bodies up to this are copied into the socket's buffer, where it does not take them at once. */
const copiedBytes = 64 * 1024

type Head = { readonly status: number; readonly headers: Headers }

/**
 * Not to be called once the request was aborted. `closes`: what the client sends after this is not looked at, as what is
 * left of a body that was refused.
 */
export function sendAnswer(res: HttpResponse, answer: HttpAnswer, isHead: boolean, closes = false): void {
  res.cork(() => {
    writeHead(res, answer)
    const { body } = answer
    if (body === null) {
      res.endWithoutBody()
    } else if (isHead) {
      // Told by hand: with its own argument for the length the library takes the response for unfinished.
      res.writeHeader('Content-Length', String(typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength))
      res.endWithoutBody()
    } else if (typeof body === 'string' || body.byteLength <= copiedBytes) {
      res.end(body, closes)
    } else {
      sendLarge(res, body)
    }
  })
}

/** The head of an answer that is written bit by bit. */
export function sendHead(res: HttpResponse, head: Head): void {
  res.cork(() => writeHead(res, head))
}

function writeHead(res: HttpResponse, { status, headers }: Head): void {
  res.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`)
  for (const [name, value] of Object.entries({ ...securityHeaders, ...headers })) res.writeHeader(name, value)
}

function sendLarge(res: HttpResponse, body: Uint8Array): void {
  // From an abort on nothing may be called, and nothing will be: onWritable goes with the socket.
  res.onAborted(() => {})
  const [, done] = res.tryEnd(body, body.byteLength)
  if (done) return
  res.onWritable((offset) => {
    const [taken] = res.tryEnd(body.subarray(offset), body.byteLength)
    return taken
  })
}
