import type { ServerResponse } from 'node:http'
import { EngineBusyError, type Engine, type GenerationRequest } from '../engine/engine.ts'
import type { GeneratedToken } from '../engine/generated-token.ts'
import { EventStream } from './event-stream.ts'
import { abortedByShutdownFault, busyFault, faultEvent, internalFault, type HttpFault } from './faults.ts'
import { sendJson } from './json-response.ts'
import type { ReplyFormat } from './reply-format.ts'

export interface ReplyContext {
  readonly engine: Engine
  readonly response: ServerResponse
  /** Fires when the client has gone (the response is destroyed then), or the server stops. */
  readonly signal: AbortSignal
  readonly keepAliveMs: number
  /** Told of errors inside the engine, which clients see as an internal error only. */
  readonly onEngineError: (error: unknown) => void
}

/** Throws HttpFault while nothing has been sent; later faults become an event of the stream. */
export async function streamReply(context: ReplyContext, request: GenerationRequest, format: ReplyFormat, includeUsage: boolean): Promise<void> {
  const stream = new EventStream(context.response)
  let count = 0
  const generated = generate(context, request, (token) => {
    for (const chunk of format.chunks(token, count === 0)) stream.send(JSON.stringify(chunk))
    count++
  })
  stream.open(context.keepAliveMs)
  try {
    await generated
    if (includeUsage) stream.send(JSON.stringify(format.usageChunk(count)))
  } catch (error) {
    if (context.response.destroyed) return
    stream.send(faultEvent(faultOf(context, error)))
  }
  stream.end()
}

/** Throws HttpFault. */
export async function wholeReply(context: ReplyContext, request: GenerationRequest, format: ReplyFormat): Promise<void> {
  const tokens: GeneratedToken[] = []
  const generated = generate(context, request, (token) => tokens.push(token))
  try {
    await generated
  } catch (error) {
    throw faultOf(context, error)
  }
  if (context.response.destroyed) return
  sendJson(context.response, 200, format.whole(tokens))
}

/** Throws HttpFault at once where the engine has no place. */
function generate(context: ReplyContext, request: GenerationRequest, onToken: (token: GeneratedToken) => void): Promise<void> {
  try {
    return context.engine.generate(request, context.signal, onToken)
  } catch (error) {
    throw faultOf(context, error)
  }
}

function faultOf(context: ReplyContext, error: unknown): HttpFault {
  if (error instanceof EngineBusyError) return busyFault()
  if (context.signal.aborted) return abortedByShutdownFault()
  context.onEngineError(error)
  return internalFault()
}
