/** Puts answers on the wire, as uWebSockets.js wants it: corked, once, and large bodies only as fast as they are taken. */
import { STATUS_CODES } from 'node:http'
import type { HttpResponse } from 'uWebSockets.js'
import type { HttpAnswer } from './answer.ts'
import { securityHeaders } from './security-headers.ts'

/** Bodies up to this are copied into the socket's buffer, where it does not take them at once. */
const copiedBytes = 64 * 1024

/** Not to be called once the request was aborted. */
export function sendAnswer(res: HttpResponse, answer: HttpAnswer, isHead: boolean): void {
  res.cork(() => {
    res.writeStatus(`${answer.status} ${STATUS_CODES[answer.status] ?? ''}`)
    for (const [name, value] of Object.entries({ ...securityHeaders, ...answer.headers })) res.writeHeader(name, value)
    const { body } = answer
    if (body === null) {
      res.endWithoutBody()
    } else if (isHead) {
      // Told by hand: with its own argument for the length the library takes the response for unfinished.
      res.writeHeader('Content-Length', String(typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength))
      res.endWithoutBody()
    } else if (typeof body === 'string' || body.byteLength <= copiedBytes) {
      res.end(body)
    } else {
      sendLarge(res, body)
    }
  })
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
