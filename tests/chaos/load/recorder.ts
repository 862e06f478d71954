/** Keeps what one client is told and shows, for the checker. */
import { WebSocket } from 'undici'
import type { Conversation, ConversationState, WebSocketConstructor } from '../../../client/client.ts'
import { decodeServerMessage } from '../../../protocol/websocket/client-codec.ts'
import type { Subprotocol } from '../../../protocol/websocket/subprotocols.ts'
import type { Frame, TextChange } from '../checker/evidence.ts'

export class Recorder {
  readonly frames: Frame[] = []
  readonly changes: TextChange[] = []
  readonly #shown = new Map<string, { attempt: number; text: string }>()
  #links = 0

  /** For the client: the platform's, whose frames are kept. */
  webSocket(): WebSocketConstructor {
    const newLink = (): number => ++this.#links
    const take = (link: number, subprotocol: string, data: unknown): void => this.#take(link, subprotocol as Subprotocol, data)
    return class extends WebSocket {
      readonly #link = newLink()

      override get onmessage(): WebSocket['onmessage'] {
        return super.onmessage
      }

      override set onmessage(listener: WebSocket['onmessage']) {
        super.onmessage =
          listener === null
            ? null
            : (event) => {
                take(this.#link, this.protocol, event.data)
                listener.call(this, event)
              }
      }
    }
  }

  /** Keeps each change of the replies that are shown. */
  watch(conversation: Conversation): void {
    conversation.subscribe(() => this.#look(conversation.snapshot()))
  }

  #take(link: number, subprotocol: Subprotocol, data: unknown): void {
    const message = decodeServerMessage(subprotocol, data instanceof ArrayBuffer ? new Uint8Array(data) : (data as string))
    if (message !== null && message.type !== 'pong') this.frames.push({ at: Date.now(), link, message })
  }

  #look(state: ConversationState): void {
    for (const { turnId, attempt, text } of state.turns) this.#note(turnId, attempt, text)
    for (const { turnId, attempt, text, role } of state.messages) if (role === 'assistant' && turnId !== null) this.#note(turnId, attempt ?? 1, text)
  }

  #note(turnId: string, attempt: number, text: string): void {
    const before = this.#shown.get(turnId)
    if (before?.attempt === attempt && before.text === text) return
    this.#shown.set(turnId, { attempt, text })
    const from = before?.attempt === attempt ? commonLength(before.text, text) : 0
    if (before === undefined && text === '') return
    this.changes.push({ at: Date.now(), turnId, attempt, from, text: text.slice(from) })
  }
}

function commonLength(a: string, b: string): number {
  if (b.startsWith(a)) return a.length
  let length = 0
  while (length < a.length && a[length] === b[length]) length += 1
  return length
}
