/** Replies as Server-Sent Events over a connection that is kept: one POST a question. */
import { HttpConnection, type HttpRequest } from './http-connection.ts'
import { plainField } from './plain-field.ts'
import type { Session } from './session.ts'
import { SseData } from './sse-data.ts'
import type { Server } from './wire.ts'

export interface HttpDialect {
  question(text: string): HttpRequest
  /** Null: an event without text. Throws for an error in the stream. */
  textOf(data: string): string | null
}

/** `data: {"token":"…"}`. */
export const plainSse: HttpDialect = {
  question: (message) => ({ method: 'POST', path: '/chat', body: { message } }),
  textOf: (data) => {
    const text = plainField(data, 'token') ?? (JSON.parse(data) as { token?: string }).token
    if (text === undefined) throw new Error(`no token: ${data.slice(0, 200)}`)
    return text
  },
}

export const openai: HttpDialect = {
  question: (content) => ({ method: 'POST', path: '/v1/chat/completions', body: { model: 'simulated', stream: true, messages: [{ role: 'user', content }] } }),
  textOf: (data) => {
    const plain = plainField(data, 'content')
    if (plain !== null) return plain
    const { choices } = JSON.parse(data) as { choices?: { delta: { content?: string | null } }[] }
    if (choices === undefined) throw new Error(`no choices: ${data.slice(0, 200)}`)
    return choices[0]?.delta.content ?? null
  },
}

const done = '[DONE]'

/** Hands on each event's data but the last, which has to be `[DONE]`; rejects where it is not. */
export async function events(connection: HttpConnection, request: HttpRequest, onData: (data: string) => void): Promise<void> {
  let isDone = false
  const pieces = new SseData((data) => {
    if (data === done) isDone = true
    else onData(data)
  })
  const { status } = await connection.request(request, (piece) => pieces.read(piece))
  if (status !== 200 || !isDone) throw new Error(`${request.method} ${request.path}: ${status}, ${isDone ? 'done' : 'not done'}`)
}

export async function openHttp(dialect: HttpDialect, server: Server): Promise<Session> {
  let connection = await HttpConnection.open(server)
  let bytesBefore = 0
  return {
    get bytesRead() {
      return bytesBefore + connection.bytesRead
    },
    ask: async (question, onText) => {
      // Servers close connections that were idle for some seconds.
      if (connection.isClosed) {
        bytesBefore += connection.bytesRead
        connection = await HttpConnection.open(server)
      }
      await events(connection, dialect.question(question), (data) => {
        const text = dialect.textOf(data)
        if (text !== null && text !== '') onText(text)
      })
    },
    leave: () => connection.leave(),
  }
}
