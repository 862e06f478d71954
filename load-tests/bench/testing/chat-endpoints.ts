/** A question asked by HTTP, of a server with the specification's endpoints or of the engine itself. */
import type { HttpConnection } from '../../stream-client/http-connection.ts'
import { events } from '../../stream-client/http-dialects.ts'

export interface ChatEndpoints {
  /** Resolves with the reply as a whole. */
  chat(connection: HttpConnection, userId: string, question: string): Promise<string>
  /** Hands on the reply as it comes; resolves at its end. Rejects where it does not end as it should. */
  stream(connection: HttpConnection, userId: string, question: string, onText: (text: string) => void): Promise<void>
}

export const specification: ChatEndpoints = {
  chat: async (connection, userId, question) => {
    const answer = (await connection.json({ method: 'POST', path: '/chat', body: { message: question, user_id: userId, context: [], stream: false } })) as { response: string }
    return answer.response
  },
  stream: async (connection, userId, question, onText) => {
    const begun = (await connection.json({ method: 'POST', path: '/stream-chat', body: { message: question, user_id: userId, context: [], stream: true } })) as { stream_endpoint: string }
    await events(connection, { method: 'GET', path: begun.stream_endpoint }, (data) => onText((JSON.parse(data) as { token: string }).token))
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
      const [choice] = (JSON.parse(data) as { choices: { delta: { content?: string } }[] }).choices
      if (choice?.delta.content) onText(choice.delta.content)
    }),
}

function asked(question: string, stream: boolean): object {
  return { model: 'simulated', stream, max_tokens: 1024, messages: [{ role: 'user', content: question }] }
}
