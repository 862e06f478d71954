/** What tests of the SDK begin with: an edge that does as it is told, a client, and a conversation open on both. */
import type { Test } from 'tap'
import { WebSocket } from 'undici'
import { ChatError } from '../../protocol/errors.ts'
import { createClient, type ChatClient, type ClientOptions, type Conversation, type ConversationState, type SentTurn } from '../client.ts'
import { FakeEdge } from './fake-edge.ts'
import type { FakeConversation } from './fake-conversation.ts'

export const quick = { baseMs: 1, maxMs: 5 }

export async function edgeOf(t: Test): Promise<FakeEdge> {
  const edge = await new FakeEdge().start()
  t.teardown(() => edge.stop())
  return edge
}

export function clientOf(t: Test, edge: FakeEdge, options: Partial<ClientOptions> = {}): ChatClient {
  const client = createClient({ url: edge.url, userId: 'user', WebSocket, backoff: quick, ...options })
  t.teardown(() => client.close())
  return client
}

/** An edge, a client, and a conversation open on both. */
export async function talk(t: Test, options: Partial<ClientOptions> = {}): Promise<{ edge: FakeEdge; client: ChatClient; fake: FakeConversation; conversation: Conversation }> {
  const edge = await edgeOf(t)
  const client = clientOf(t, edge, options)
  const fake = edge.conversation()
  const conversation = client.openConversation(fake.id)
  await conversation.opened
  return { edge, client, fake, conversation }
}

export function until(conversation: Conversation, isMet: (state: ConversationState) => boolean): Promise<ConversationState> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!isMet(conversation.snapshot())) return
      stop()
      resolve(conversation.snapshot())
    }
    const stop = conversation.subscribe(look)
    look()
  })
}

export const untilState = (client: ChatClient, state: ChatClient['state']): Promise<void> =>
  client.state === state ? Promise.resolve() : new Promise((resolve) => {
    const stop = client.on('state', (now) => {
      if (now !== state) return
      stop()
      resolve()
    })
  })

export async function read(turn: SentTurn): Promise<string> {
  let text = ''
  for await (const piece of turn) text += piece
  return text
}

export const error = (code: ChatError['code'], more: object = {}) => ({ type: 'error' as const, ...new ChatError(code).toPublic(), ...more })
