/**
 * People who ask by HTTP, each over a connection of their own: as soon as a reply has ended they ask again. Every reply is
 * verified. Whoever serves them too slowly gets fewer questions, not more under way.
 */
import { verifyTranscript } from '../../simulated-vllm/reply.ts'
import type { ChatEndpoints } from './chat-endpoints.ts'
import { HttpConnection } from '../../stream-client/http-connection.ts'
import { loopback } from '../../stream-client/wire.ts'

export interface Load {
  readonly people: number
  readonly questionsEach: number
  /** They begin at random within so long. */
  readonly withinMs: number
  /** Of a reply. */
  readonly tokens: number
}

export interface Heard {
  /** Milliseconds from the question to the reply, or to its first text where it is streamed. */
  readonly ms: readonly number[]
  /** What went wrong with those that failed. */
  readonly failures: readonly string[]
}

export async function ask(port: number, endpoints: ChatEndpoints, kind: 'chat' | 'stream', load: Load): Promise<Heard> {
  const ms: number[] = []
  const failures: string[] = []
  await Promise.all(
    Array.from({ length: load.people }, async (_, person) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * load.withinMs))
      let connection: HttpConnection | undefined
      for (let n = 0; n < load.questionsEach; n += 1) {
        const question = `question ${n} of ${person} at ${performance.now()}`
        try {
          connection = connection === undefined || connection.isClosed ? await HttpConnection.open(loopback(port)) : connection
          ms.push(await askOnce(connection, endpoints, kind, `user-${person}`, question, load.tokens))
        } catch (error) {
          failures.push(String(error))
          connection?.leave()
          connection = undefined
        }
      }
      connection?.leave()
    }),
  )
  return { ms, failures }
}

async function askOnce(connection: HttpConnection, endpoints: ChatEndpoints, kind: 'chat' | 'stream', userId: string, question: string, tokens: number): Promise<number> {
  const began = performance.now()
  let heardMs = Number.NaN
  let text = ''
  const hear = (more: string): void => {
    if (text === '') heardMs = performance.now() - began
    text += more
  }
  if (kind === 'chat') hear(await endpoints.chat(connection, userId, question))
  else await endpoints.stream(connection, userId, question, hear)
  const verdict = verifyTranscript(text, question, { tokens })
  if (!verdict.ok) throw new Error(`a reply is not what the engine said: ${JSON.stringify(verdict)}`)
  return heardMs
}
