/**
 * A server that speaks the protocol over real sockets, on a port of its own, and fails on order. The state of its
 * conversations outlives its connections, as that of a cluster does.
 */
import uWS from 'uWebSockets.js'
import { ChatError } from '../../protocol/errors.ts'
import { decodeCommand, encodeServerMessage } from '../../protocol/websocket/codec.ts'
import type { Load } from '../../protocol/websocket/fields.ts'
import { limits } from '../../protocol/websocket/limits.ts'
import type { Command, Reply, ServerEvent, ServerMessage } from '../../protocol/websocket/messages.ts'
import { defaultSubprotocol, subprotocols, type Subprotocol } from '../../protocol/websocket/subprotocols.ts'
import { FakeConversation } from './fake-conversation.ts'

interface SocketData {
  connection: FakeConnection
  readonly subprotocol: Subprotocol
}

export class FakeConnection {
  readonly subprotocol: Subprotocol
  readonly open = new Set<number>()
  readonly #socket: uWS.WebSocket<SocketData>
  readonly #edge: FakeEdge
  #closed = false

  constructor(socket: uWS.WebSocket<SocketData>, edge: FakeEdge) {
    this.#socket = socket
    this.#edge = edge
    this.subprotocol = socket.getUserData().subprotocol
  }

  send(message: ServerMessage): void {
    const frame = encodeServerMessage(this.subprotocol, message)
    this.sendRaw(frame)
  }

  sendRaw(frame: string | Uint8Array): void {
    if (this.#closed) return
    this.#socket.send(frame, typeof frame !== 'string')
    if (this.#edge.sentFrame()) this.terminate()
  }

  close(code: number): void {
    if (this.#closed) return
    this.gone()
    this.#socket.end(code, '')
  }

  /** As if the wire were cut: no close frame. */
  terminate(): void {
    if (this.#closed) return
    this.gone()
    this.#socket.close()
  }

  gone(): void {
    this.#closed = true
    this.#edge.connections.delete(this)
  }
}

/** `handle`: as a server does. `swallow`: do it, and lose the answer. `ignore`: as if it had not come. A message: answer with that. */
export type Verdict = 'handle' | 'swallow' | 'ignore' | 'cut' | Omit<Reply, 'ref'>

export class FakeEdge {
  readonly connections = new Set<FakeConnection>()
  readonly conversations = new Map<number, FakeConversation>()
  readonly commands: Command[] = []
  /** What becomes of a command. */
  verdict: (command: Command) => Verdict = () => 'handle'
  /** Frames to send before the wire is cut, once. */
  cutAfterFrames = Infinity
  /** As `welcome` tells it. */
  load: Load = { level: 'normal', queue_depth: 0, eta_ms: 0, advice: 'stream' }
  /** Connections ever made. */
  dialled = 0
  /** Their queries. */
  readonly queries: string[] = []
  url = ''
  readonly #app: uWS.TemplatedApp
  #listening: uWS.us_listen_socket | false = false
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = []

  constructor() {
    this.#app = uWS.App().ws<SocketData>('/ws', {
      maxPayloadLength: limits.frameBytes,
      upgrade: (response, request, context) => {
        this.queries.push(request.getQuery() ?? '')
        const offered = request.getHeader('sec-websocket-protocol').split(',').map((name) => name.trim())
        const subprotocol = subprotocols.find((name) => offered.includes(name)) ?? defaultSubprotocol
        response.upgrade({ connection: null as unknown as FakeConnection, subprotocol }, request.getHeader('sec-websocket-key'), subprotocol, request.getHeader('sec-websocket-extensions'), context)
      },
      open: (socket) => {
        this.dialled += 1
        const connection = new FakeConnection(socket, this)
        socket.getUserData().connection = connection
        this.connections.add(connection)
        this.#notice()
      },
      message: (socket, data, isBinary) => {
        const { connection, subprotocol } = socket.getUserData()
        const decoded = decodeCommand(subprotocol, new Uint8Array(data), isBinary)
        if (!decoded.ok) throw decoded.error
        this.#receive(connection, decoded.command)
        this.#notice()
      },
      close: (socket) => {
        socket.getUserData().connection.gone()
        this.#notice()
      },
    })
  }

  async start(): Promise<this> {
    this.#listening = await new Promise<uWS.us_listen_socket | false>((resolve) => this.#app.listen('127.0.0.1', 0, resolve))
    if (this.#listening === false) throw new Error('no port')
    this.url = `ws://127.0.0.1:${uWS.us_socket_local_port(this.#listening)}/ws`
    return this
  }

  stop(): void {
    if (this.#listening !== false) uWS.us_listen_socket_close(this.#listening)
    this.#listening = false
    for (const connection of [...this.connections]) connection.terminate()
    this.#app.close()
  }

  conversation(): FakeConversation {
    const conversation = new FakeConversation((told, event) => this.#tell(told, event))
    this.conversations.set(conversation.id, conversation)
    return conversation
  }

  /** Resolves once this holds; looked at whenever something comes or goes. */
  until(isMet: () => boolean): Promise<void> {
    return isMet() ? Promise.resolve() : new Promise((resolve) => this.#waiting.push({ isMet, resolve }))
  }

  untilCommand(type: Command['type'], count = 1): Promise<void> {
    return this.until(() => this.commands.filter((command) => command.type === type).length >= count)
  }

  broadcast(message: ServerMessage): void {
    for (const connection of [...this.connections]) connection.send(message)
  }

  cut(): void {
    for (const connection of [...this.connections]) connection.terminate()
  }

  /** Counts a frame; true where the wire is to be cut after it. */
  sentFrame(): boolean {
    this.cutAfterFrames -= 1
    if (this.cutAfterFrames !== 0) return false
    this.cutAfterFrames = Infinity
    return true
  }

  #receive(connection: FakeConnection, command: Command): void {
    this.commands.push(command)
    const verdict = this.verdict(command)
    if (verdict === 'cut') return connection.terminate()
    if (verdict === 'ignore') return
    const ref = command.ref === undefined ? {} : { ref: command.ref }
    if (typeof verdict === 'object') return connection.send({ ...verdict, ...ref } as Reply)
    let reply: Reply
    try {
      reply = this.#perform(connection, command)
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      return connection.send({ type: 'error', ...ref, ...error.toPublic() })
    }
    if (verdict === 'handle') connection.send({ ...reply, ...ref })
    else connection.terminate()
    if (reply.type === 'conversation.opened') connection.open.add(reply.conversation_id)
  }

  #perform(connection: FakeConnection, command: Command): Reply {
    switch (command.type) {
      case 'hello':
        return {
          type: 'welcome', session_id: 's', user_id: command.user_id ?? 'user', node_id: 'fake',
          limits: { frame_bytes: limits.frameBytes, text_bytes: limits.textBytes, frames_per_second: 50, unanswered_commands: 64, open_conversations: 50, waiting_turns: 4 },
          load: this.load,
        }
      case 'auth.refresh':
        return { type: 'auth.refreshed' }
      case 'pace.set':
        return { type: 'pace.changed', pace: command.pace }
      case 'ping':
        return { type: 'pong' }
      case 'conversation.create': {
        const conversation = this.conversation()
        return { type: 'conversation.created', conversation_id: conversation.id, title: command.title ?? null, created_at: new Date().toISOString() }
      }
      case 'conversation.list':
        return { type: 'conversations', has_more: false, conversations: [...this.conversations.keys()].map((conversation_id) => ({ conversation_id, title: null, created_at: '2026-11-24T12:00:00.000Z', updated_at: '2026-11-24T12:00:00.000Z' })) }
      case 'conversation.rename':
        return { type: 'conversation.renamed', conversation_id: command.conversation_id, title: command.title, updated_at: this.#find(command.conversation_id).rename(command.title) }
      case 'conversation.delete':
        this.#find(command.conversation_id).end()
        this.conversations.delete(command.conversation_id)
        this.broadcast({ type: 'conversation.closed', conversation_id: command.conversation_id })
        return { type: 'conversation.deleted', conversation_id: command.conversation_id }
      case 'conversation.open':
        return this.#find(command.conversation_id).opened(command)
      case 'conversation.close':
        connection.open.delete(command.conversation_id)
        return { type: 'conversation.closed', conversation_id: command.conversation_id }
      case 'message.send':
      case 'message.edit':
      case 'turn.regenerate':
        return this.#find(command.conversation_id).begin(command)
      case 'history.get':
        return this.#find(command.conversation_id).history(command)
      case 'turn.stop': {
        for (const conversation of this.conversations.values()) {
          const turn = conversation.unfinished.find(({ turnId }) => turnId === command.turn_id)
          if (turn === undefined) continue
          conversation.finish(turn, 'stopped')
          return { type: 'turn.stopped', turn_id: command.turn_id }
        }
        throw new ChatError('turn_not_found')
      }
    }
  }

  #find(id: number): FakeConversation {
    const conversation = this.conversations.get(id)
    if (conversation === undefined) throw new ChatError('conversation_not_found')
    return conversation
  }

  #tell(conversation: FakeConversation, event: ServerEvent): void {
    for (const connection of [...this.connections]) if (connection.open.has(conversation.id)) connection.send(event)
  }

  #notice(): void {
    this.#waiting = this.#waiting.filter(({ isMet, resolve }) => {
      if (!isMet()) return true
      resolve()
      return false
    })
  }
}

