/**
 * What the actors keep, and how: the port between actors and Postgres. Every write names the owner's fencing token and
 * is refused as `stale` once another owner has claimed the conversation. Reads and writes reject with
 * ChatError `unavailable` while no shard can be reached.
 */
import type { DeadLetter } from '../platform/bus/dead-letters.ts'
import type { ImportedMessage } from '../protocol/imported-history.ts'
import type { FinishReason, Message, Params, Timing, TurnError, Usage } from '../protocol/websocket/fields.ts'
import type { WriteHold } from './write-hold.ts'

/** Compared for equality, in every write. */
export interface OwnerToken {
  readonly epoch: number
  readonly node: string
  readonly bootId: string
}

export interface ConversationRow {
  readonly conversationId: number
  readonly userId: string
  readonly title: string | null
  readonly model: string | null
  readonly system: string | null
  /** Milliseconds since the epoch, here and in all rows. */
  readonly createdAt: number
  readonly updatedAt: number
  /** The newest message id given out, of a reply that is under way as well: the newest leaf. */
  readonly lastMessageId: number | null
}

export type StoredTurnState = 'waiting' | 'queued' | 'running' | 'finished' | 'failed'

export interface TurnRow {
  readonly turnId: string
  readonly conversationId: number
  readonly userId: string
  readonly clientMessageId: string
  readonly userMessageId: number
  /** Parent of the user message. */
  readonly parentId: number | null
  readonly replyMessageId: number
  readonly state: StoredTurnState
  /** 1 from the start. */
  readonly attempt: number
  /** 0 until the first grant. */
  readonly run: number
  readonly bridge: string | null
  /** Grants in a row that brought no new text. */
  readonly barrenGrants: number
  readonly lane: 'premium' | 'standard' | 'batch'
  /** Asked for, or null: the conversation's, or the default. */
  readonly model: string | null
  readonly params: Params
  readonly acceptedAt: number
  readonly startedAt: number | null
  readonly deadlineAt: number
}

/** As the sweep finds it. */
export interface SweptTurn extends TurnRow {
  /** The node that owns the conversation and shows signs of life; null where none does. */
  readonly liveOwner: string | null
}

export interface AcceptTurn {
  readonly turnId: string
  readonly clientMessageId: string
  /** SHA-256 of the command's meaning: another hash under the same clientMessageId is a conflict. */
  readonly commandHash: Uint8Array
  readonly user:
    | { readonly type: 'new'; readonly content: string; readonly parentId: number | null }
    | { readonly type: 'existing'; readonly messageId: number; readonly parentId: number | null }
  readonly state: 'queued' | 'waiting'
  readonly lane: TurnRow['lane']
  readonly model: string | null
  readonly params: Params
  readonly acceptedAt: number
  readonly deadlineAt: number
}

export interface BeginTurn {
  readonly turnId: string
  /** The new run; refused as `missed` unless the stored one is one less (0 counts for 1 as well), or this very grant, rerun, and the turn not ended. */
  readonly run: number
  readonly attempt: number
  readonly bridge: string
  readonly barrenGrants: number
  /** Of the first grant; kept where one is stored already. */
  readonly startedAt: number
}

/** Compare-and-set: `missed` unless the turn has not ended and its run is `run`, or would be by the grant that is stored with it. */
export interface EndTurn {
  readonly turnId: string
  readonly run: number
  readonly attempt: number
  readonly end:
    | { readonly type: 'finished'; readonly reason: FinishReason }
    | { readonly type: 'failed'; readonly error: TurnError }
  /** The reply's text, perhaps partial or empty. Stored as the message `replyMessageId`, child of the user message. */
  readonly content: string
  readonly usage: Usage | null
  readonly timing: Timing
  readonly model: string | null
  readonly cached: boolean
  readonly costUsd: number | null
  readonly endedAt: number
  /** Of a run whose grant is not stored yet: the end stores both. */
  readonly granted?: Pick<BeginTurn, 'bridge' | 'barrenGrants' | 'startedAt'>
  /** The turn is given up: its dead letter is committed with its end, and kept until it is said to be sent. Only of a failure. */
  readonly deadLetter?: boolean
}

/** An id for a conversation that may be made, and the token of its first owner. */
export interface DrawnConversation {
  readonly conversationId: number
  readonly token: OwnerToken
}

/** A conversation that is made under a drawn id. */
export type MakeConversation = Pick<CreateConversation, 'userId' | 'title' | 'model' | 'system' | 'expiresAfterMs'>

/** One step of one conversation; all of it happens, or nothing. */
export interface ConversationWrite {
  readonly conversationId: number
  readonly token: OwnerToken
  /** The conversation, under the id and token that were drawn for it: its first write makes it. `stale` where it cannot be made here. */
  readonly make?: MakeConversation
  readonly ends?: readonly EndTurn[]
  readonly accept?: AcceptTurn
  readonly begin?: BeginTurn
  /** A waiting turn that is to be queued now. */
  readonly promote?: string
  /** Set where the conversation has none. */
  readonly title?: string
  /** Replaces whatever title there is. */
  readonly rename?: string
  /**
   * The conversation is gone for everybody with this commit, and what of it was unfinished with it; its messages are removed
   * later. By itself: nothing else of the write is made.
   */
  readonly remove?: true
}

export type WriteResult =
  /** `accepted` where the write has `accept`: ids drawn under the conversation's lock. */
  | { readonly status: 'committed'; readonly accepted?: { readonly userMessageId: number; readonly replyMessageId: number } }
  /** The clientMessageId was accepted before with the same content: that turn as it stands. Nothing was written. */
  | { readonly status: 'duplicate'; readonly turn: TurnRow }
  /** The clientMessageId was accepted before with other content. Nothing was written. */
  | { readonly status: 'conflict' }
  /** The token is not the owner's any more. Nothing was written. */
  | { readonly status: 'stale' }
  /** A compare-and-set found something else: the turn as it stands, or null where there is none. Nothing was written. */
  | { readonly status: 'missed'; readonly turn: TurnRow | null }
  /** Postgres refuses this row for what it holds (SQLSTATE 22, 23). Nothing was written. */
  | { readonly status: 'refused'; readonly sqlState: string }
  /** Taken back by its writer while it was held. Nothing was written. */
  | { readonly status: 'withdrawn' }

export type ClaimResult =
  | { readonly status: 'claimed'; readonly token: OwnerToken; readonly conversation: ConversationRow; readonly unfinished: readonly TurnRow[] }
  /** A live node owns it. */
  | { readonly status: 'owned'; readonly node: string; readonly bootId: string }
  | { readonly status: 'not_found' }

export interface MessagePage {
  /** Oldest first, all branches. */
  readonly messages: readonly Message[]
  /** Older ones exist (for `messagesAfter`: more than fit lie above the cursor). */
  readonly hasMore: boolean
}

/** A reply with what it took. */
export interface StoredReply {
  readonly message: Message
  readonly usage: Usage | null
  readonly timing: Timing
  readonly cached: boolean
  readonly costUsd: number | null
}

export interface CreateConversation {
  readonly userId: string
  readonly clientConversationId: string | null
  readonly title: string | null
  readonly model: string | null
  readonly system: string | null
  /** What it begins with, the oldest first: each the child of the one before, under the bounds of `importLimits`. */
  readonly history?: readonly ImportedMessage[]
  /** It is never listed, and is deleted some time after this, though not while a turn of it is unfinished. */
  readonly expiresAfterMs?: number
}

export interface WriteOptions {
  readonly giveUpAfterMs?: number
  readonly hold?: WriteHold
}

export interface ConversationStore {
  /** Idempotent by (userId, clientConversationId): ChatError `idempotency_conflict` where title, model, system or history differ from the first. */
  createConversation(input: CreateConversation): Promise<ConversationRow>
  /** For this user. Nothing is stored: an id that is not used is none. */
  drawConversation(userId: string): Promise<DrawnConversation>
  conversation(conversationId: number): Promise<ConversationRow | null>
  /** Most recently used first, from the one after `before` on. */
  listConversations(userId: string, page: { readonly before?: number; readonly limit: number }): Promise<{ readonly conversations: readonly ConversationRow[]; readonly hasMore: boolean }>
  /** Claims where the owner is nobody, this very node and boot, or dead; where it is another and alive, only by `force`. Then, in a later statement, loads. */
  claim(conversationId: number, options?: { readonly force?: boolean }): Promise<ClaimResult>
  /** Gives up ownership, where the token still holds. */
  release(conversationId: number, token: OwnerToken): Promise<void>
  /**
   * Committed together with writes of other conversations. Writes of one conversation are made one after another by
   * their actor. With `giveUpAfterMs`, rejects with ChatError `unavailable` after that time if the outcome is known to
   * be nothing or stays unknown (a later equal write settles it); without, waits for Postgres as long as it takes. With a
   * `hold` it may wait for others to go with, some 20 ms.
   */
  write(write: ConversationWrite, options?: WriteOptions): Promise<WriteResult>
  /** Conversations whose owners' these tokens are still, and those of which that cannot be told now; one query a shard. Never rejects. */
  stillOwned(tokens: ReadonlyMap<number, OwnerToken>): Promise<{ readonly owned: ReadonlySet<number>; readonly unknown: ReadonlySet<number> }>
  messagesBefore(conversationId: number, page: { readonly before?: number; readonly limit: number; readonly maxBytes: number }): Promise<MessagePage>
  messagesAfter(conversationId: number, page: { readonly after: number; readonly limit: number; readonly maxBytes: number }): Promise<MessagePage>
  message(conversationId: number, messageId: number): Promise<Message | null>
  /** Null where there is no such reply of a turn. */
  reply(conversationId: number, messageId: number): Promise<StoredReply | null>
  /**
   * All messages, oldest first, all branches, in batches of at most 2 MiB of text: as they stood at one moment, but for
   * PGlite. Rejects with the signal's reason, and with ChatError `overloaded` where too many read already. To be read to
   * its end, or returned.
   */
  exportMessages(conversationId: number, signal: AbortSignal): AsyncGenerator<readonly Message[], void, undefined>
  /** From `leaf` up the chain of parents, given oldest first; `more` is the parent of the oldest where the page was full. */
  path(conversationId: number, page: { readonly leaf: number; readonly limit: number; readonly maxBytes: number }): Promise<{ readonly messages: readonly Message[]; readonly more: number | null }>
  /** The turn that a clientMessageId was accepted for, ended or not, and the hash of its command. */
  acceptedTurn(conversationId: number, clientMessageId: string): Promise<{ readonly turn: TurnRow; readonly commandHash: Uint8Array } | null>
  /** Ended ones as well. */
  turn(turnId: string): Promise<TurnRow | null>
  /** For the sweeper of each shard: queued and running turns accepted before `olderThan`, oldest first, one process at a time. */
  sweep(options: { readonly olderThan: number; readonly limit: number }): Promise<readonly SweptTurn[]>
  /** Dead letters of turns that failed before `failedBefore` and are not known to be sent, the oldest first. */
  unsentDeadLetters(options: { readonly failedBefore: number; readonly limit: number }): Promise<readonly DeadLetter[]>
  /** Idempotent. */
  deadLetterSent(turnId: string): Promise<void>
  /**
   * Deletes conversations that have expired and have no unfinished turn, and removes the rows of deleted ones: at most
   * `limit` of each on each shard, by one process at a time. True where more is left.
   */
  purge(options: { readonly limit: number }): Promise<boolean>
}
