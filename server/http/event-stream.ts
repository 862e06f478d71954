/** What all streams of server-sent events have in common. */
import type { Headers } from './answer.ts'
import type { StreamSink } from './stream-sink.ts'

export function eventStreamHeaders(headers: Headers): Headers {
  // X-Accel-Buffering: nginx would hold events back.
  return { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no', ...headers }
}

/** A comment, which clients ignore. */
export function sendComment(sink: StreamSink): void {
  if (sink.writable) sink.write(':\n\n')
}

/** Sends a comment now and then, so that proxies keep a connection on which nothing else is said. To be cleared at the end. */
export function keepAlive(sink: StreamSink, everyMs: number): NodeJS.Timeout {
  return setInterval(() => sendComment(sink), everyMs)
}
