/** One person with one WebSocket: messages, replies as they come, thinking. A connection that breaks is made again, and goes on at the next character. */
import { clearTimeout, setTimeout } from 'k6/timers'
import { WebSocket } from 'k6/websockets'
import type { Command, ServerMessage } from '../../protocol/websocket/messages.ts'
import { doubled, failed, firstToken, intact, judge, lost, refused, reordered, resumed, textGap, wholeReply } from './measures.ts'
import { textOf } from './text-of.ts'
import { apiKey, baseUrl, patienceS, question, thinkingS, turnsPerConversation, userId, verifies } from './settings.ts'

interface Turn {
  readonly question: string
  readonly askedAt: number
  readonly clientMessageId: string
  id: string | null
  attempt: number
  text: string
  /** Where the next text of the server begins. */
  at: number
  textAt: number
  /** Text was missing, or came twice: that is counted once, and what follows has no place any more. */
  isBroken: boolean
}

/** Told by `setup`. */
export interface Run {
  readonly id: string
  /** Milliseconds since the epoch at which all connections break; null: never. */
  readonly stormAt: number | null
}

const reconnectMs = 300
/** Of a WebSocket's `readyState`. */
const connected = 1

/** Ends when the conversation has had its turns. */
export class Chat {
  readonly #run: Run
  #socket: WebSocket | null = null
  #conversationId: number | null = null
  /** On this connection. Between a request to open it and the answer, events may be of before. */
  #isOpen = false
  #turn: Turn | null = null
  #isThinking = false
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
      this.#isOpen = false
      if (this.#over) return
      this.#brokenAt ??= Date.now()
      setTimeout(() => {
        if (!this.#over) this.#connect()
      }, reconnectMs * (0.5 + Math.random()))
    }
  }

  #break(): void {
    if (this.#stormed || this.#over) return
    this.#stormed = true
    this.#socket?.close()
  }

  #send(command: Command): void {
    if (this.#socket?.readyState === connected) this.#socket.send(JSON.stringify(command))
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
        this.#isOpen = true
        const turn = this.#turn
        const running = message.turns.find(({ turn_id }) => turn_id === turn?.id)
        if (turn !== null && running !== undefined) {
          // A server that has just taken the turn over may hold less than was shown.
          if (running.attempt === turn.attempt) turn.at = Math.min(running.offset, turn.text.length)
          this.#text(running.attempt, running.offset, running.text)
        }
        const ended = message.messages.find((each) => each.role === 'assistant' && each.turn_id !== null && each.turn_id === turn?.id)
        if (turn !== null && ended !== undefined) {
          Object.assign(turn, { text: ended.content, isBroken: false })
          return this.#ended(ended.reason === 'failed')
        }
        if (turn === null && !this.#isThinking) this.#ask()
        // Not known to be accepted: asked again under the same key, which is answered once.
        else if (turn?.id === null) this.#sendTurn(turn)
        return
      }
      case 'conversation.closed':
        if (this.#conversationId !== null && !this.#over) this.#open(this.#conversationId)
        return
      case 'message.accepted':
        if (this.#turn?.clientMessageId !== message.client_message_id) return
        this.#turn.id = message.turn_id
        // Its first answer was lost with a connection: some of the reply may have been written since.
        if (message.duplicate) this.#open(message.conversation_id)
        return
      case 'turn.started':
        if (this.#isOpen && this.#turn !== null && message.turn_id === this.#turn.id && message.attempt > this.#turn.attempt) Object.assign(this.#turn, { attempt: message.attempt, text: '', at: 0, isBroken: false })
        return
      case 'turn.delta':
        if (this.#isOpen && message.turn_id === this.#turn?.id) this.#text(message.attempt, message.offset, message.text)
        return
      case 'turn.finished':
        if (this.#isOpen && message.turn_id === this.#turn?.id) this.#ended(false)
        return
      case 'turn.failed':
        if (this.#isOpen && message.turn_id === this.#turn?.id) this.#ended(true)
        return
      case 'error':
        return this.#refused(message.code, message.retry_after_ms ?? 1_000)
      default:
    }
  }

  #open(conversationId: number): void {
    this.#isOpen = false
    const turn = this.#turn
    const cursor = turn?.id == null ? {} : { cursor: { turn_id: turn.id, attempt: turn.attempt, offset: turn.text.length } }
    this.#send({ type: 'conversation.open', conversation_id: conversationId, ...cursor })
  }

  #ask(): void {
    if (this.#turnsLeft === 0) return this.#leave()
    this.#turnsLeft -= 1
    const turn: Turn = { question: question('Tell me'), askedAt: Date.now(), clientMessageId: `k6-${Math.random().toString(36).slice(2)}`, id: null, attempt: 1, text: '', at: 0, textAt: 0, isBroken: false }
    this.#turn = turn
    this.#sendTurn(turn)
    this.#patienceTimer = setTimeout(() => {
      lost.add(1)
      console.error('a reply did not end in time')
      this.#leave()
    }, patienceS * 1_000)
  }

  /** Where the connection is away just now, it is sent as soon as the conversation is open again. */
  #sendTurn(turn: Turn): void {
    if (this.#conversationId !== null && this.#isOpen) this.#send({ type: 'message.send', conversation_id: this.#conversationId, client_message_id: turn.clientMessageId, text: turn.question })
  }

  #text(attempt: number, offset: number, sent: string): void {
    const turn = this.#turn
    if (turn === null) return
    if (attempt !== turn.attempt) Object.assign(turn, { attempt, text: '', at: 0, isBroken: false })
    if (turn.isBroken) return
    if (offset !== turn.at) {
      turn.isBroken = true
      const fault = offset > turn.at ? lost : offset + sent.length > turn.at ? doubled : reordered
      fault.add(1)
      console.error(`text at ${offset} where ${turn.at} was due`)
      return
    }
    const text = sent.slice(turn.text.length - offset)
    turn.at += sent.length
    if (text === '') return
    const now = Date.now()
    if (this.#brokenAt !== null && turn.text !== '') resumed.add(now - this.#brokenAt)
    else if (turn.text === '') firstToken.add(now - turn.askedAt)
    else textGap.add(now - turn.textAt)
    this.#brokenAt = null
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
    else if (turn.isBroken) intact.add(false)
    else judge(turn.text, turn.question)
    this.#isThinking = true
    setTimeout(() => {
      this.#isThinking = false
      this.#ask()
    }, thinkingS() * 1_000)
  }

  #refused(code: string, afterMs: number): void {
    refused.add(1, { code })
    if (verifies && code !== 'rate_limited' && code !== 'too_many_turns' && code !== 'overloaded') console.warn(`refused: ${code}`)
    if (this.#conversationId === null) return this.#leave()
    setTimeout(() => {
      if (this.#over) return
      if (!this.#isOpen) this.#open(this.#conversationId as number)
      else if (this.#turn?.id === null) this.#sendTurn(this.#turn)
    }, afterMs)
  }

  #leave(): void {
    this.#over = true
    clearTimeout(this.#patienceTimer)
    clearTimeout(this.#stormTimer)
    this.#socket?.close()
  }
}
