/**
 * What was said in one conversation and is not answered yet. Sent one at a time, as the second message must not be accepted
 * before the first, should that be refused for a while; kept under its key until it has arrived or is discarded.
 */
import { ChatError } from '../protocol/errors.ts'
import type { CommandOf, ReplyOf } from '../protocol/websocket/messages.ts'
import { checkText } from '../protocol/text.ts'
import { ClientClosedError } from './client-errors.ts'
import { discard, fail, hold, outboxBound, put, retry } from './conversation-outbox.ts'
import type { ConversationState, OutboxMessage } from './conversation-state.ts'
import type { Requests } from './requests.ts'
import { SentTurn } from './sent-turn.ts'

export type SendCommand = CommandOf<'message.send' | 'message.edit' | 'turn.regenerate'>

export interface SendingPort {
  readonly conversationId: number
  readonly requests: Requests
  readonly state: () => ConversationState
  readonly set: (state: ConversationState) => void
  readonly accepted: (turn: SentTurn, reply: ReplyOf<'message.send'>) => void
  readonly stop: (turnId: string) => Promise<void>
}

export class ConversationSending {
  readonly #port: SendingPort
  readonly #commands = new Map<string, SendCommand>()
  #unsent: { readonly turn: SentTurn; readonly command: SendCommand }[] = []
  #sending = false

  constructor(port: SendingPort) {
    this.#port = port
  }

  /** Throws ChatError where the text cannot be a message, the outbox is full, or the key is in use. */
  begin(entry: Pick<OutboxMessage, 'kind' | 'text' | 'parentId'>, command: SendCommand): SentTurn {
    const fault = entry.kind === 'regenerate' ? null : checkText(entry.text)
    if (fault !== null) throw new ChatError(fault)
    const state = this.#port.state()
    if (state.outbox.length >= outboxBound) throw new ChatError('too_many_commands', 'Too much is unanswered in this conversation.')
    const clientMessageId = command.client_message_id
    if (this.#commands.has(clientMessageId)) throw new ChatError('idempotency_conflict')
    this.#commands.set(clientMessageId, command)
    this.#port.set(put(state, { ...entry, clientMessageId, createdAt: new Date().toISOString() }))
    return this.#enqueue(command)
  }

  /** Throws ChatError `message_not_found` where there is no such failed entry. */
  retry(clientMessageId: string): SentTurn {
    const command = this.#failedCommand(clientMessageId)
    this.#port.set(retry(this.#port.state(), clientMessageId))
    return this.#enqueue(command)
  }

  /** As `retry`. */
  discard(clientMessageId: string): void {
    this.#failedCommand(clientMessageId)
    this.#commands.delete(clientMessageId)
    this.#port.set(discard(this.#port.state(), clientMessageId))
  }

  /** Nothing of what waits is sent any more. */
  abandon(error: Error): void {
    const unsent = this.#unsent
    this.#unsent = []
    for (const { turn } of unsent) turn.fail(error)
  }

  /** What was refused at last may have been taken all the same: once it has become a message, its key is its own no more. */
  forgetArrived({ outbox }: ConversationState): void {
    const kept = new Set(outbox.map(({ clientMessageId }) => clientMessageId))
    for (const clientMessageId of this.#commands.keys()) if (!kept.has(clientMessageId)) this.#commands.delete(clientMessageId)
  }

  #enqueue(command: SendCommand): SentTurn {
    const turn = new SentTurn(command.client_message_id, (turnId) => this.#port.stop(turnId))
    const { status, error } = this.#port.state()
    if (status === 'closed' || status === 'failed') {
      this.#failed(turn, error ?? new ClientClosedError())
      return turn
    }
    this.#unsent.push({ turn, command })
    this.#sendNext()
    return turn
  }

  #sendNext(): void {
    const next = this.#sending ? undefined : this.#unsent.shift()
    if (next === undefined) return
    const { turn, command } = next
    const { conversationId, requests, state, set, accepted } = this.#port
    this.#sending = true
    const done = (): void => {
      this.#sending = false
      this.#sendNext()
    }
    requests.ask(
      command,
      { within: conversationId, onHeld: (error, waitMs) => set(hold(state(), turn.clientMessageId, error, waitMs)) },
      (reply) => {
        this.#commands.delete(turn.clientMessageId)
        turn.accept(reply)
        accepted(turn, reply)
        done()
      },
      (error) => {
        this.#failed(turn, error)
        done()
      },
    )
  }

  #failed(turn: SentTurn, error: Error): void {
    this.#port.set(fail(this.#port.state(), turn.clientMessageId, error instanceof ChatError ? error : new ChatError('unavailable', error.message)))
    turn.fail(error)
  }

  #failedCommand(clientMessageId: string): SendCommand {
    const command = this.#commands.get(clientMessageId)
    const entry = this.#port.state().outbox.find((other) => other.clientMessageId === clientMessageId)
    if (command === undefined || entry?.state !== 'failed') throw new ChatError('message_not_found', 'There is no such failed message.')
    return command
  }
}
