/**
 * A turn that this client began: its acceptance, its text as it comes, and its end. It reads the conversation's state,
 * and holds no text of its own, so that a reader who is slow costs nothing.
 */
import { ChatError } from '../protocol/errors.ts'
import type { MessageAccepted } from '../protocol/websocket/commands/message-send.ts'
import { ServerError } from './client-errors.ts'
import { findMessage, type ChatMessage, type ConversationState } from './conversation-state.ts'
import { findTurn } from './conversation-reducer.ts'

/** Where the reply stands: `ended` is the stored message, in the end. */
interface Progress {
  readonly attempt: number
  readonly text: string
  readonly ended: ChatMessage | null
}

export class SentTurn implements AsyncIterable<string> {
  readonly clientMessageId: string
  /** The message and its turn are stored. Rejects where the server refused them, or the client was closed. */
  readonly accepted: Promise<MessageAccepted>
  /** The stored reply. Rejects with the turn's error where it failed; what there is of it is among the messages all the same. */
  readonly finished: Promise<ChatMessage>
  readonly #stop: (turnId: string) => Promise<void>
  #acceptance: MessageAccepted | null = null
  #resolveAccepted: (accepted: MessageAccepted) => void = () => {}
  #rejectAccepted: (error: Error) => void = () => {}
  #resolveFinished: (reply: ChatMessage) => void = () => {}
  #rejectFinished: (error: Error) => void = () => {}
  #progress: Progress = { attempt: 1, text: '', ended: null }
  #error: Error | null = null
  #waiting: (() => void)[] = []

  constructor(clientMessageId: string, stop: (turnId: string) => Promise<void>) {
    this.clientMessageId = clientMessageId
    this.#stop = stop
    this.accepted = new Promise((resolve, reject) => {
      this.#resolveAccepted = resolve
      this.#rejectAccepted = reject
    })
    this.finished = new Promise((resolve, reject) => {
      this.#resolveFinished = resolve
      this.#rejectFinished = reject
    })
    // Who looks at one of them only, or at the conversation only, must not crash for the other.
    this.accepted.catch(() => {})
    this.finished.catch(() => {})
  }

  /** Undefined until it is accepted. */
  get turnId(): string | undefined {
    return this.#acceptance?.turn_id
  }

  get replyMessageId(): number | undefined {
    return this.#acceptance?.reply_message_id
  }

  /** Ends the turn with the text it has. Resolves once the server has taken note. */
  async stop(): Promise<void> {
    const { turn_id } = await this.accepted
    await this.#stop(turn_id)
  }

  /**
   * The reply's text, piece by piece, to its end. Throws the turn's error where it failed, and ChatError
   * `reply_restarted` where the reply began anew after a part of it was read here.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    let read = { attempt: 0, offset: 0 }
    for (;;) {
      const { attempt, text, ended } = this.#progress
      if (attempt !== read.attempt) {
        if (read.offset > 0) throw new ChatError('reply_restarted')
        read = { attempt, offset: 0 }
      }
      if (text.length > read.offset) {
        const piece = text.slice(read.offset)
        read = { attempt, offset: text.length }
        yield piece
        continue
      }
      if (ended !== null || this.#error !== null) {
        if (this.#error !== null) throw this.#error
        return
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  accept(accepted: MessageAccepted): void {
    this.#acceptance = accepted
    this.#resolveAccepted(accepted)
  }

  /** It will not come to an end here: it was refused, or the client was closed. */
  fail(error: Error): void {
    this.#error = error
    this.#rejectAccepted(error)
    this.#rejectFinished(error)
    this.#wake()
  }

  /** `missing`: it has ended, but its reply is not among the messages held. */
  advance(state: ConversationState): 'under way' | 'ended' | 'missing' {
    if (this.#acceptance === null) return 'under way'
    const turn = findTurn(state, this.#acceptance.turn_id)
    if (turn !== undefined) {
      if (turn.attempt !== this.#progress.attempt || turn.text !== this.#progress.text) {
        this.#progress = { attempt: turn.attempt, text: turn.text, ended: null }
        this.#wake()
      }
      return 'under way'
    }
    const reply = findMessage(state.messages, this.#acceptance.reply_message_id)
    if (reply !== undefined) {
      this.end(reply)
      return 'ended'
    }
    return state.status === 'open' && !state.desynced ? 'missing' : 'under way'
  }

  end(reply: ChatMessage): void {
    this.#progress = { attempt: reply.attempt ?? this.#progress.attempt, text: reply.text, ended: reply }
    if (reply.reason === 'failed') {
      this.#error = new ServerError(reply.error ?? { code: 'internal', message: 'The reply failed.', retryable: true })
      this.#rejectFinished(this.#error)
    } else {
      this.#resolveFinished(reply)
    }
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume()
  }
}
