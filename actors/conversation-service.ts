/** The door to the actors: what the edge's transports (WebSocket, REST) call. Errors are rejections with ChatError. */
import type { Origin } from '../protocol/bus/origin.ts'
import type { ConversationSummary } from '../protocol/websocket/commands/conversation-list.ts'
import type { TurnSnapshot } from '../protocol/websocket/commands/conversation-open.ts'
import type { Message, Pace, TurnState } from '../protocol/websocket/fields.ts'
import type { CommandOf, ReplyOf, ServerEvent } from '../protocol/websocket/messages.ts'
import type { Subprotocol } from '../protocol/websocket/subprotocols.ts'
import type { DrawnConversation, StoredReply } from '../storage/conversation-store.ts'
import type { Beginning, Creation } from './creation.ts'
import type { Account } from './limits/payers.ts'

/** One transport connection, as the actors see it. */
export interface ClientConnection {
  readonly subprotocol: Subprotocol
  /** False while the transport holds unsent bytes: then nothing may be sent until `Subscription.pump` is called. */
  readonly writable: boolean
  /** Sends one encoded frame. May make the connection unwritable; the frame is taken all the same. */
  send(frame: string | Uint8Array): void
  /** What is sent meanwhile leaves in one write. Only afterwards it is known whether the connection took it. */
  cork(work: () => void): void
  /** The connection fell too far behind to be caught up with: the transport closes it with 4430. */
  fellBehind(): void
}

/** A client that encodes for itself: server-sent events, an answer that is sent whole. Else as a ClientConnection. */
export interface PartsClient {
  readonly writable: boolean
  /** Text of a turn's attempt, from `offset` to `end`. */
  delta(turnId: string, attempt: number, offset: number, end: number, text: string): void
  event(event: ServerEvent): void
  fellBehind(): void
}

export type FeedClient = ClientConnection | PartsClient

/** One connection's view of one open conversation. It holds positions only, never text. */
export interface Subscription {
  readonly conversationId: number
  /** Call once `conversation.opened` is sent: events follow from then on. */
  start(): void
  /** Call when the connection is writable again. */
  pump(): void
  /** From now on; what waits is sent at once where the pace becomes live. */
  setPace(pace: Pace): void
  close(): void
}

/** How far a client has got with a turn's reply; offset 0 of attempt 1 where it has nothing. */
export interface TurnPosition {
  readonly attempt: number
  readonly offset: number
}

/** An unfinished turn as it stood, and what follows from there. */
export interface FollowedTurn {
  /** Its `text` goes on from the position that was named, or from the start where the attempt is another or the position is beyond the text. */
  readonly turn: TurnSnapshot
  /** Of the conversation: parts of its other turns come as well. */
  readonly subscription: Subscription
}

/** A turn, ended or not. Times in milliseconds since the epoch. */
export interface TurnStatus {
  readonly userId: string
  readonly conversationId: number
  readonly turnId: string
  readonly userMessageId: number
  readonly replyMessageId: number
  readonly state: TurnState | 'finished' | 'failed'
  readonly attempt: number
  readonly model: string | null
  readonly acceptedAt: number
  readonly deadlineAt: number
  /** Once it has ended. */
  readonly reply: StoredReply | null
}

/** `identity`: whose plan and key the turn counts for; the user's own, of the default plan, where absent. */
export interface TurnOrigin extends Origin {
  readonly identity?: Account
  /** Bytes of text that the conversation was made with for this very turn: they count as its input. */
  readonly historyBytes?: number
}

export interface ConversationService {
  create(userId: string, command: CommandOf<'conversation.create'>, creation?: Creation): Promise<ReplyOf<'conversation.create'>>
  /** An id for a conversation that `begin` may make. */
  draw(userId: string): Promise<DrawnConversation>
  /** Makes the conversation and sends its first message, in one commit: both, or neither. `command` names the drawn id. */
  begin(userId: string, drawn: DrawnConversation, beginning: Beginning, command: CommandOf<'message.send'>, origin?: TurnOrigin): Promise<ReplyOf<'message.send'>>
  list(userId: string, command: CommandOf<'conversation.list'>): Promise<ReplyOf<'conversation.list'>>
  history(userId: string, command: CommandOf<'history.get'>): Promise<ReplyOf<'history.get'>>
  /** `onMoved`: this process lost the conversation; the subscription is dead, and the client is to open it again. */
  open(userId: string, command: CommandOf<'conversation.open'>, connection: ClientConnection, onMoved: () => void): Promise<{ readonly opened: ReplyOf<'conversation.open'>; readonly subscription: Subscription }>
  /** The lane is the plan's unless `origin` names a slower one, here and below; a repetition gets the first answer, whatever its origin. */
  send(userId: string, command: CommandOf<'message.send'>, origin?: TurnOrigin): Promise<ReplyOf<'message.send'>>
  edit(userId: string, command: CommandOf<'message.edit'>, origin?: TurnOrigin): Promise<ReplyOf<'message.edit'>>
  regenerate(userId: string, command: CommandOf<'turn.regenerate'>, origin?: TurnOrigin): Promise<ReplyOf<'turn.regenerate'>>
  stop(userId: string, command: CommandOf<'turn.stop'>): Promise<ReplyOf<'turn.stop'>>
  rename(userId: string, command: CommandOf<'conversation.rename'>): Promise<ReplyOf<'conversation.rename'>>
  /** For everybody and for good. What is under way in it stops; what waits is dropped. */
  delete(userId: string, command: CommandOf<'conversation.delete'>): Promise<ReplyOf<'conversation.delete'>>
  /** All messages that are stored, oldest first, in batches: see ConversationStore.exportMessages. Its first `next` rejects where it cannot begin. */
  export(userId: string, conversationId: number, signal: AbortSignal): Promise<AsyncGenerator<readonly Message[], void, undefined>>
  /**
   * One turn's reply, from a position on, without a read of the store where the turn's conversation is here. Null: it is not
   * among the unfinished ones, and `turn` tells how it ended. `onMoved` as for `open`.
   */
  follow(userId: string, turn: { readonly conversationId: number; readonly turnId: string; readonly position: TurnPosition }, client: PartsClient, onMoved: () => void): Promise<FollowedTurn | null>
  /** Of this user, or of anybody where that is null. Rejects with `turn_not_found`. */
  turn(userId: string | null, turnId: string): Promise<TurnStatus>
  /**
   * Stops the turn where no client has had its conversation open for so long. Null: the turn has ended; else the time after
   * which that may be so.
   */
  stopUnheard(userId: string, turnId: string, forMs: number): Promise<{ readonly askAgainMs: number } | null>
  conversation(userId: string, conversationId: number): Promise<ConversationSummary>
  /** Null where there is no such conversation. */
  ownerOf(conversationId: number): Promise<string | null>
  /** Unfinished turns of this process, and what a new one may expect. */
  load(): { readonly queue_depth: number; readonly eta_ms: number }
}
