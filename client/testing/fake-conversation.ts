/** A conversation as a server holds it, driven by the test: what is said, begun, streamed and ended is told to whoever has it open. */
import { makeId, newTurnId } from '../../protocol/ids.ts'
import type { Message, TurnError } from '../../protocol/websocket/fields.ts'
import type { CommandOf, ReplyOf, ServerEvent } from '../../protocol/websocket/messages.ts'

export interface FakeTurn {
  readonly turnId: string
  readonly userMessageId: number
  readonly replyMessageId: number
  state: 'waiting' | 'queued' | 'running' | 'resuming' | 'finished' | 'failed'
  attempt: number
  text: string
}

const bucket = 7
let sequence = 1
export const nextId = (): number => makeId(sequence++, bucket)

type Begin = CommandOf<'message.send' | 'message.edit' | 'turn.regenerate'>

export class FakeConversation {
  readonly id = nextId()
  readonly messages: Message[] = []
  readonly turns: FakeTurn[] = []
  /** The page that one `conversation.opened` or `history` holds. */
  page = 200
  title = 'Fake'
  readonly #answers = new Map<string, ReplyOf<'message.send'>>()
  readonly #tell: (event: ServerEvent) => void

  constructor(tell: (conversation: FakeConversation, event: ServerEvent) => void) {
    this.#tell = (event) => tell(this, event)
  }

  get unfinished(): FakeTurn[] {
    return this.turns.filter(({ state }) => state !== 'finished' && state !== 'failed')
  }

  /** A message out of the past, with its reply. */
  remember(question: string, reply: string): void {
    const userMessageId = nextId()
    const parent_id = this.messages.at(-1)?.message_id ?? null
    const turn_id = newTurnId(bucket)
    const created_at = new Date().toISOString()
    this.messages.push({ message_id: userMessageId, role: 'user', content: question, parent_id, turn_id, created_at })
    this.messages.push({ message_id: nextId(), role: 'assistant', content: reply, parent_id: userMessageId, turn_id, created_at, reason: 'stop' })
  }

  begin(command: Begin): ReplyOf<'message.send'> {
    const before = this.#answers.get(command.client_message_id)
    if (before !== undefined) {
      const turn = this.turns.find(({ turnId }) => turnId === before.turn_id) as FakeTurn
      return { ...before, state: turn.state === 'resuming' ? 'running' : turn.state, duplicate: true }
    }
    const waits = this.unfinished.length > 0
    const named = 'message_id' in command ? this.messages.find(({ message_id }) => message_id === command.message_id) : undefined
    const turnId = newTurnId(bucket)
    let userMessageId = named?.role === 'assistant' ? (named.parent_id as number) : (named?.message_id ?? 0)
    let parentId = this.messages.find(({ message_id }) => message_id === userMessageId)?.parent_id ?? null
    if (command.type !== 'turn.regenerate') {
      userMessageId = nextId()
      if (command.type === 'message.send') parentId = command.parent_id === undefined ? (this.unfinished.at(-1)?.replyMessageId ?? this.messages.at(-1)?.message_id ?? null) : command.parent_id
      const message: Message = { message_id: userMessageId, role: 'user', content: command.text, parent_id: parentId, turn_id: turnId, client_message_id: command.client_message_id, created_at: new Date().toISOString() }
      this.messages.push(message)
      this.#tell({ type: 'message.added', conversation_id: this.id, message })
    }
    const turn: FakeTurn = { turnId, userMessageId, replyMessageId: nextId(), state: waits ? 'waiting' : 'queued', attempt: 1, text: '' }
    this.turns.push(turn)
    this.#tell({ type: 'turn.queued', conversation_id: this.id, turn_id: turnId, user_message_id: userMessageId, message_id: turn.replyMessageId, position: waits ? null : 0, eta_ms: null })
    const answer: ReplyOf<'message.send'> = { type: 'message.accepted', client_message_id: command.client_message_id, conversation_id: this.id, message_id: userMessageId, parent_id: parentId, turn_id: turnId, reply_message_id: turn.replyMessageId, state: waits ? 'waiting' : 'queued', duplicate: false }
    this.#answers.set(command.client_message_id, answer)
    return answer
  }

  start(turn = this.#current()): void {
    turn.state = 'running'
    this.#tell({ type: 'turn.started', conversation_id: this.id, turn_id: turn.turnId, user_message_id: turn.userMessageId, message_id: turn.replyMessageId, attempt: turn.attempt, model: 'fake' })
  }

  restart(turn = this.#current()): void {
    turn.attempt += 1
    turn.text = ''
    this.start(turn)
  }

  say(text: string, turn = this.#current()): void {
    const offset = turn.text.length
    turn.text += text
    this.#tell({ type: 'turn.delta', turn_id: turn.turnId, attempt: turn.attempt, offset, end: turn.text.length, text })
  }

  finish(turn = this.#current(), reason: 'stop' | 'stopped' = 'stop'): void {
    turn.state = 'finished'
    this.#store(turn, { reason })
    this.#tell({ type: 'turn.finished', turn_id: turn.turnId, attempt: turn.attempt, message_id: turn.replyMessageId, reason, end: turn.text.length, usage: { prompt_tokens: 3, completion_tokens: 4 }, timing: { queue_ms: 1, ttft_ms: 2, total_ms: 3 }, model: 'fake', cached: false, cost_usd: 0.001 })
  }

  fail(error: TurnError, turn = this.#current()): void {
    turn.state = 'failed'
    this.#store(turn, { reason: 'failed', error })
    this.#tell({ type: 'turn.failed', turn_id: turn.turnId, attempt: turn.attempt, message_id: turn.replyMessageId, end: turn.text.length, error })
  }

  /** Gives the time of the change. */
  rename(title: string): string {
    const updated_at = new Date().toISOString()
    this.title = title
    this.#tell({ type: 'conversation.updated', conversation_id: this.id, title, updated_at })
    return updated_at
  }

  /** It was deleted. */
  end(): void {
    for (const turn of this.unfinished) this.finish(turn, 'stopped')
    this.#tell({ type: 'conversation.deleted', conversation_id: this.id })
  }

  opened(command: CommandOf<'conversation.open'>): ReplyOf<'conversation.open'> {
    const { cursor } = command
    const cursorTurn = this.turns.find(({ turnId }) => turnId === cursor?.turn_id)
    let start = cursor === undefined ? 0 : Math.min(cursor.message_id ?? Infinity, cursorTurn?.userMessageId ?? Infinity)
    for (const turn of this.unfinished) start = Math.min(start, turn.replyMessageId - 1)
    const beyond = this.messages.filter(({ message_id }) => cursor === undefined || message_id > start)
    const messages = beyond.slice(-this.page)
    return {
      type: 'conversation.opened', conversation_id: this.id, title: this.title, messages, active_leaf: this.messages.at(-1)?.message_id ?? null,
      has_more: messages.length < beyond.length, reset: cursor !== undefined && messages.length < beyond.length,
      turns: this.unfinished.map((turn) => {
        const offset = cursor?.turn_id === turn.turnId && cursor.attempt === turn.attempt ? Math.min(cursor.offset ?? 0, turn.text.length) : 0
        return { turn_id: turn.turnId, user_message_id: turn.userMessageId, message_id: turn.replyMessageId, attempt: turn.attempt, offset, end: turn.text.length, text: turn.text.slice(offset), state: turn.state as 'running' }
      }),
    }
  }

  history(command: CommandOf<'history.get'>): ReplyOf<'history.get'> {
    const older = this.messages.filter(({ message_id }) => message_id < (command.before ?? Infinity))
    const messages = older.slice(-Math.min(command.limit ?? 50, this.page))
    return { type: 'history', conversation_id: this.id, messages, has_more: messages.length < older.length }
  }

  #current(): FakeTurn {
    const turn = this.unfinished[0]
    if (turn === undefined) throw new Error('no turn is under way')
    return turn
  }

  #store(turn: FakeTurn, end: Pick<Message, 'reason' | 'error'>): void {
    this.messages.push({ message_id: turn.replyMessageId, role: 'assistant', content: turn.text, parent_id: turn.userMessageId, turn_id: turn.turnId, created_at: new Date().toISOString(), attempt: turn.attempt, model: 'fake', ...end })
    this.messages.sort((a, b) => a.message_id - b.message_id)
  }
}
