/** Conversations that are talked in, many on each connection, and every reply verified. */
import type { ServerMessage } from '../../../protocol/websocket/messages.ts'
import { verifyTranscript } from '../../simulated-vllm/reply.ts'
import { LeanSocket } from './lean-socket.ts'

/** The default of what a connection may have open. */
export const conversationsPerSocket = 32

interface Listening {
  readonly question: string
  readonly began: number
  turnId: string
  text: string
  firstMs: number
  readonly ended: (error?: Error) => void
}

/** One person with a connection, of whose conversations each has one turn at a time. */
export class Talker {
  readonly socket: LeanSocket
  /** By turn; before it is known, by conversation. */
  readonly #listening = new Map<string | number, Listening>()

  constructor(socket: LeanSocket) {
    this.socket = socket
    socket.onEvent = (event) => this.#hear(event)
    socket.onClosed = () => {
      for (const each of this.#listening.values()) each.ended(new Error('the connection was closed'))
    }
  }

  async create(): Promise<number> {
    const created = await this.socket.ask({ type: 'conversation.create' })
    if (created.type !== 'conversation.created') throw new Error(`${created.type} is no answer`)
    return created.conversation_id
  }

  async open(conversationId: number): Promise<void> {
    await this.socket.ask({ type: 'conversation.open', conversation_id: conversationId })
  }

  async close(conversationId: number): Promise<void> {
    await this.socket.ask({ type: 'conversation.close', conversation_id: conversationId })
  }

  /** Milliseconds from `began` to the first text; `onAccepted` is told those until the message was accepted. Rejects where the reply is not what the engine said. */
  async talk(conversationId: number, question: string, tokens: number, began = performance.now(), onAccepted?: (ms: number) => void): Promise<number> {
    let listening: Listening | undefined
    const ended = new Promise<void>((resolve, reject) => {
      listening = { question, began, turnId: '', text: '', firstMs: Number.NaN, ended: (error) => (error === undefined ? resolve() : reject(error)) }
    })
    const heard = listening as unknown as Listening
    this.#listening.set(conversationId, heard)
    const accepted = this.socket.ask({ type: 'message.send', conversation_id: conversationId, client_message_id: `${began}-${Math.random()}`, text: question })
    accepted.then(() => onAccepted?.(performance.now() - began), heard.ended)
    await ended
    const verdict = verifyTranscript(heard.text, question, { tokens })
    if (!verdict.ok) throw new Error(`a reply is not what the engine said: ${JSON.stringify(verdict)}`)
    return heard.firstMs
  }

  #hear(event: ServerMessage): void {
    if (event.type === 'turn.delta') {
      const each = this.#listening.get(event.turn_id)
      if (each === undefined) return
      if (each.text === '') each.firstMs = performance.now() - each.began
      each.text = each.text.slice(0, event.offset) + event.text
    } else if (event.type === 'turn.started') {
      const each = this.#listening.get(event.conversation_id)
      if (each === undefined) return
      this.#listening.delete(event.conversation_id)
      this.#listening.set(event.turn_id, each)
    } else if (event.type === 'turn.finished' || event.type === 'turn.failed') {
      const each = this.#listening.get(event.turn_id)
      this.#listening.delete(event.turn_id)
      each?.ended(event.type === 'turn.failed' ? new Error(`a turn failed: ${event.error.code}`) : undefined)
    }
  }
}

/** Connections to the edge named, or to any. The kernel chooses among edges that share a port: another's are left at once. */
export async function connect(port: number, count: number, node?: string): Promise<Talker[]> {
  const talkers: Talker[] = []
  for (let attempt = 0; talkers.length < count; attempt += 1) {
    if (attempt > count * 50 + 1_000) throw new Error(`${node} takes no connections`)
    const socket = await LeanSocket.open(port, `user-${talkers.length}`)
    if (node === undefined || socket.node === node) talkers.push(new Talker(socket))
    else socket.leave()
  }
  return talkers
}

export interface Conversation {
  readonly talker: Talker
  readonly id: number
}

/** Created and opened, so that the edges of these connections own them. */
export async function converse(talkers: readonly Talker[], count: number): Promise<Conversation[]> {
  const perTalker = Math.ceil(count / talkers.length)
  const made = await Promise.all(
    talkers.map(async (talker, index) => {
      const some: Conversation[] = []
      for (let n = index * perTalker; n < Math.min(count, (index + 1) * perTalker); n += 1) {
        const id = await talker.create()
        await talker.open(id)
        some.push({ talker, id })
      }
      return some
    }),
  )
  return made.flat()
}
