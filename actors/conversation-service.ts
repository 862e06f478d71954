/** The door to the actors: what the edge's transports (WebSocket, REST) call. Errors are rejections with ChatError. */
import type { Origin } from '../protocol/bus/origin.ts'
import type { CommandOf, ReplyOf } from '../protocol/websocket/messages.ts'
import type { Subprotocol } from '../protocol/websocket/subprotocols.ts'

/** One transport connection, as the actors see it. */
export interface ClientConnection {
  readonly subprotocol: Subprotocol
  /** False while the transport holds unsent bytes: then nothing may be sent until `Subscription.pump` is called. */
  readonly writable: boolean
  /** Sends one encoded frame. May make the connection unwritable; the frame is taken all the same. */
  send(frame: string | Uint8Array): void
  /** The connection fell too far behind to be caught up with: the transport closes it with 4430. */
  fellBehind(): void
}

/** One connection's view of one open conversation. It holds positions only, never text. */
export interface Subscription {
  readonly conversationId: number
  /** Call once `conversation.opened` is sent: events follow from then on. */
  start(): void
  /** Call when the connection is writable again. */
  pump(): void
  close(): void
}

export interface ConversationService {
  create(userId: string, command: CommandOf<'conversation.create'>): Promise<ReplyOf<'conversation.create'>>
  list(userId: string, command: CommandOf<'conversation.list'>): Promise<ReplyOf<'conversation.list'>>
  history(userId: string, command: CommandOf<'history.get'>): Promise<ReplyOf<'history.get'>>
  /** `onMoved`: this process lost the conversation; the subscription is dead, and the client is to open it again. */
  open(userId: string, command: CommandOf<'conversation.open'>, connection: ClientConnection, onMoved: () => void): Promise<{ readonly opened: ReplyOf<'conversation.open'>; readonly subscription: Subscription }>
  /** The lane is standard where `origin` names none, here and below; a repetition gets the first answer, whatever its origin. */
  send(userId: string, command: CommandOf<'message.send'>, origin?: Origin): Promise<ReplyOf<'message.send'>>
  edit(userId: string, command: CommandOf<'message.edit'>, origin?: Origin): Promise<ReplyOf<'message.edit'>>
  regenerate(userId: string, command: CommandOf<'turn.regenerate'>, origin?: Origin): Promise<ReplyOf<'turn.regenerate'>>
  stop(userId: string, command: CommandOf<'turn.stop'>): Promise<ReplyOf<'turn.stop'>>
  /** Unfinished turns of this process, and what a new one may expect. */
  load(): { readonly queue_depth: number; readonly eta_ms: number }
}
