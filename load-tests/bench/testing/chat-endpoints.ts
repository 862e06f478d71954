/** A question asked by HTTP, of a server with the specification's endpoints or of the engine itself. */
import type { HttpRequest, LeanHttp } from './lean-http.ts'
import { SseData } from './sse-data.ts'

export interface ChatEndpoints {
  /** Resolves with the reply as a whole. */
  chat(connection: LeanHttp, userId: string, question: string): Promise<string>
  /** Hands on the reply as it comes; resolves at its end. Rejects where it does not end as it should. */
  stream(connection: LeanHttp, userId: string, question: string, onText: (text: string) => void): Promise<void>
}

const done = '[DONE]'

export const specification: ChatEndpoints = {
  chat: async (connection, userId, question) => {
    const answer = (await connection.json({ method: 'POST', path: '/chat', body: { message: question, user_id: userId, context: [], stream: false } })) as { response: string }
    return answer.response
  },
  stream: async (connection, userId, question, onText) => {
    const begun = (await connection.json({ method: 'POST', path: '/stream-chat', body: { message: question, user_id: userId, context: [], stream: true } })) as { stream_endpoint: string }
    await events(connection, { method: 'GET', path: begun.stream_endpoint }, (data) => onText((data as { token: string }).token))
  },
}

/** As the peers ask it. */
export const engineDirectly: ChatEndpoints = {
  chat: async (connection, _, question) => {
    const answer = (await connection.json({ method: 'POST', path: '/v1/chat/completions', body: asked(question, false) })) as { choices: [{ message: { content: string } }] }
    return answer.choices[0].message.content
  },
  stream: (connection, _, question, onText) =>
    events(connection, { method: 'POST', path: '/v1/chat/completions', body: asked(question, true) }, (data) => {
      const [choice] = (data as { choices: { delta: { content?: string } }[] }).choices
      if (choice?.delta.content) onText(choice.delta.content)
    }),
}

function asked(question: string, stream: boolean): object {
  return { model: 'simulated', stream, max_tokens: 1024, messages: [{ role: 'user', content: question }] }
}

async function events(connection: LeanHttp, request: HttpRequest, onEvent: (data: unknown) => void): Promise<void> {
  let isDone = false
  const pieces = new SseData((data) => {
    if (data === done) isDone = true
    else onEvent(JSON.parse(data))
  })
  const { status } = await connection.request(request, (piece) => pieces.read(piece))
  if (status !== 200 || !isDone) throw new Error(`${request.method} ${request.path}: ${status}, ${isDone ? 'done' : 'not done'}`)
}
