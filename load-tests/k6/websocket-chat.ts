/** One person with one WebSocket: messages, replies as they come, thinking. A connection that breaks is made again, and goes on at the next character. */
import { clearTimeout, setTimeout } from 'k6/timers'
import { WebSocket } from 'k6/websockets'
import type { Command, ServerMessage } from '../../protocol/websocket/messages.ts'
import { doubled, failed, firstToken, judge, lost, refused, reordered, resumed, textGap, wholeReply } from './measures.ts'
import { textOf } from './text-of.ts'
import { apiKey, baseUrl, question, thinkingS, turnsPerConversation, userId, verifies } from './settings.ts'

interface Turn {
  readonly question: string
  readonly askedAt: number
  readonly clientMessageId: string
  id: string | null
  attempt: number
  text: string
  textAt: number
}

/** Told by `setup`. */
export interface Run {
  readonly id: string
  /** Milliseconds since the epoch at which all connections break; null: never. */
  readonly stormAt: number | null
}

const patienceMs = 120_000
const reconnectMs = 300

/** Ends when the conversation has had its turns. */
export class Chat {
  readonly #run: Run
  #socket: WebSocket | null = null
  #conversationId: number | null = null
  #turn: Turn | null = null
  #turnsLeft = turnsPerConversation
  #brokenAt: number | null = null
  #stormed: boolean
  /** k6 waits for timers as it does for connections. */
  #stormTimer = 0
  #patienceTimer = 0
  #over = false

  constructor(run: Run) {
    this.#run = run
    this.#stormed = run.stormAt === null || Date.now() >= run.stormAt
    if (!this.#stormed) this.#stormTimer = setTimeout(() => this.#break(), (run.stormAt ?? 0) - Date.now())
    this.#connect()
  }

  #connect(): void {
    const socket = new WebSocket(`${baseUrl.replace(/^http/, 'ws')}/ws`)
    this.#socket = socket
    socket.onopen = () => {
      this.#send({ type: 'hello', client: 'k6', ...(apiKey === '' ? { user_id: userId(this.#run.id) } : { token: apiKey }) })
    }
    socket.onmessage = (event) => {
      if (this.#socket === socket) this.#hear(JSON.parse(textOf(event?.data)) as ServerMessage)
    }
    socket.onclose = () => {
      if (this.#socket !== socket) return
      this.#socket = null
      if (this.#over) return
      this.#brokenAt ??= Date.now()
      setTimeout(() => this.#connect(), reconnectMs * (0.5 + Math.random()))
    }
  }

  #break(): void {
    if (this.#stormed || this.#over) return
    this.#stormed = true
    this.#socket?.close()
  }

  #send(command: Command): void {
    this.#socket?.send(JSON.stringify(command))
  }

  #hear(message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        if (this.#conversationId === null) this.#send({ type: 'conversation.create' })
        else this.#open(this.#conversationId)
        return
      case 'conversation.created':
        this.#conversationId = message.conversation_id
        return this.#open(message.conversation_id)
      case 'conversation.opened': {
        const running = message.turns.find(({ turn_id }) => turn_id === this.#turn?.id)
        if (running !== undefined) this.#text(running.attempt, running.offset, running.text)
        const turn = this.#turn
        const ended = message.messages.find((each) => each.role === 'assistant' && each.turn_id !== null && each.turn_id === turn?.id)
        if (turn !== null && ended !== undefined) {
          turn.text = ended.content
          return this.#ended(ended.reason === 'failed')
        }
        if (turn === null) this.#ask()
        // Not known to be accepted: asked again under the same key, which is answered once.
        else if (turn.id === null) this.#sendTurn(turn)
        return
      }
      case 'conversation.closed':
        if (this.#conversationId !== null && !this.#over) this.#open(this.#conversationId)
        return
      case 'message.accepted':
        if (this.#turn?.clientMessageId === message.client_message_id) this.#turn.id = message.turn_id
        return
      case 'turn.started':
        if (this.#turn !== null && message.turn_id === this.#turn.id && message.attempt > this.#turn.attempt) Object.assign(this.#turn, { attempt: message.attempt, text: '' })
        return
      case 'turn.delta':
        if (message.turn_id === this.#turn?.id) this.#text(message.attempt, message.offset, message.text)
        return
      case 'turn.finished':
        if (message.turn_id === this.#turn?.id) this.#ended(false)
        return
      case 'turn.failed':
        if (message.turn_id === this.#turn?.id) this.#ended(true)
        return
      case 'error':
        return this.#refused(message.code, message.retry_after_ms ?? 1_000)
      default:
    }
  }

  #open(conversationId: number): void {
    const turn = this.#turn
    const cursor = turn?.id == null ? {} : { cursor: { turn_id: turn.id, attempt: turn.attempt, offset: turn.text.length } }
    this.#send({ type: 'conversation.open', conversation_id: conversationId, ...cursor })
  }

  #ask(): void {
    if (this.#turnsLeft === 0) return this.#leave()
    this.#turnsLeft -= 1
    const turn: Turn = { question: question('Tell me'), askedAt: Date.now(), clientMessageId: `k6-${Math.random().toString(36).slice(2)}`, id: null, attempt: 1, text: '', textAt: 0 }
    this.#turn = turn
    this.#sendTurn(turn)
    this.#patienceTimer = setTimeout(() => {
      lost.add(1)
      console.error('a reply did not end in time')
      this.#leave()
    }, patienceMs)
  }

  #sendTurn(turn: Turn): void {
    if (this.#conversationId !== null) this.#send({ type: 'message.send', conversation_id: this.#conversationId, client_message_id: turn.clientMessageId, text: turn.question })
  }

  #text(attempt: number, offset: number, text: string): void {
    const turn = this.#turn
    if (turn === null) return
    if (attempt !== turn.attempt) Object.assign(turn, { attempt, text: '' })
    if (offset > turn.text.length) lost.add(1)
    else if (offset < turn.text.length) (text.length + offset > turn.text.length ? doubled : reordered).add(1)
    const now = Date.now()
    if (this.#brokenAt !== null && turn.text !== '' && text !== '') resumed.add(now - this.#brokenAt)
    else if (turn.text === '' && text !== '') firstToken.add(now - turn.askedAt)
    else if (text !== '') textGap.add(now - turn.textAt)
    if (text !== '') this.#brokenAt = null
    turn.text += text
    turn.textAt = now
  }

  #ended(hasFailed: boolean): void {
    const turn = this.#turn
    if (turn === null) return
    clearTimeout(this.#patienceTimer)
    this.#turn = null
    this.#brokenAt = null
    wholeReply.add(Date.now() - turn.askedAt)
    if (hasFailed) failed.add(1)
    else judge(turn.text, turn.question)
    setTimeout(() => this.#ask(), thinkingS() * 1_000)
  }

  #refused(code: string, afterMs: number): void {
    refused.add(1, { code })
    if (verifies && code !== 'rate_limited' && code !== 'too_many_turns' && code !== 'overloaded') console.warn(`refused: ${code}`)
    const turn = this.#turn
    setTimeout(() => {
      if (this.#over || turn === null || this.#turn !== turn) return
      if (turn.id === null) this.#sendTurn(turn)
    }, afterMs)
    if (turn === null) this.#leave()
  }

  #leave(): void {
    this.#over = true
    clearTimeout(this.#patienceTimer)
    clearTimeout(this.#stormTimer)
    this.#socket?.close()
  }
}
