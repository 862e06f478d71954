/** What the checker reads: what clients did and were shown, what Postgres holds, and what the engines were asked. Times are milliseconds since 1970, of one machine's clock. */
import type { ServerMessage } from '../../../protocol/websocket/messages.ts'
import type { RequestRecord } from '../../../load-tests/simulated-vllm/request-log.ts'

/** What one client was shown of one conversation. */
export interface Transcript {
  readonly device: string
  readonly conversationId: number
  /** The replies as the SDK showed them: each change, in order. */
  readonly changes: readonly TextChange[]
  /** What came over the wire, in order. */
  readonly frames: readonly Frame[]
  /** What the SDK showed in the end; of turns that have not ended, their ids. */
  readonly final: { readonly messages: readonly ShownMessage[]; readonly unfinished: readonly string[] }
  /** Errors that ended the client or its conversation for good. */
  readonly faults: readonly string[]
}

/** From `from` on the reply reads `text`; what came before it stayed as it was. */
export interface TextChange {
  readonly at: number
  readonly turnId: string
  readonly attempt: number
  readonly from: number
  readonly text: string
}

export interface Frame {
  readonly at: number
  /** Counts the connections of the client. */
  readonly link: number
  readonly message: ServerMessage
}

export interface ShownMessage {
  readonly id: number
  readonly role: string
  readonly parentId: number | null
  readonly text: string
  readonly turnId: string | null
  readonly reason?: string
  readonly attempt?: number
}

/** Something that a client asked for, by its key. */
export interface Sent {
  readonly clientMessageId: string
  readonly conversationId: number
  readonly device: string
  readonly kind: 'send' | 'edit' | 'regenerate'
  /** The message to answer: for regenerate, that of the turn before. */
  readonly text: string
  readonly params: { readonly temperature?: number; readonly max_tokens?: number }
  readonly at: number
  /** Null where it was never accepted. */
  readonly accepted: Acceptance | null
  /** Codes of the errors that its user saw before. */
  readonly refusals: readonly string[]
  /** Answers to its repetitions. */
  readonly repeats: readonly Acceptance[]
}

export interface Acceptance {
  readonly at: number
  readonly turnId: string
  readonly messageId: number
  readonly replyMessageId: number
  readonly duplicate: boolean
}

export interface StoredMessage {
  readonly id: number
  readonly parentId: number | null
  readonly role: string
  readonly content: string
  readonly turnId: string | null
  readonly clientMessageId: string | null
  readonly reason: string | null
  readonly attempt: number | null
  /** Code of the error that a failed reply ended with. */
  readonly error: string | null
}

export interface StoredTurn {
  readonly turnId: string
  readonly clientMessageId: string
  readonly userMessageId: number
  readonly replyMessageId: number
  readonly state: string
  readonly attempt: number
  readonly acceptedAt: number
  readonly endedAt: number | null
}

export interface StoredConversation {
  readonly conversationId: number
  readonly system: string | null
  /** By rising id. */
  readonly messages: readonly StoredMessage[]
  readonly turns: readonly StoredTurn[]
}

export type EngineRequest = RequestRecord

/** What a fault excuses in turns that lived while it lasted. */
export interface Allowance {
  /** A reply may begin anew, as nobody is left who knows its text. */
  readonly restart?: boolean
  /** The generation of a bridge that is cut off may go on beside the one that replaced it. */
  readonly overlap?: boolean
  /** Codes of errors that users may see when they send. */
  readonly refusals?: readonly string[]
  /** Codes of errors that turns may end with. */
  readonly failures?: readonly string[]
}

export interface FaultWindow {
  readonly fault: string
  readonly from: number
  /** Until its effects are over, at the latest. */
  readonly until: number
  readonly allowance: Allowance
}

export interface Leftovers {
  /** Jobs in the streams, by lane. */
  readonly jobs: Readonly<Record<string, number>>
  /** Beyond those at rest before. */
  readonly subscriptions: number
  readonly actors: number
}

export interface Evidence {
  readonly transcripts: readonly Transcript[]
  readonly sent: readonly Sent[]
  readonly stored: readonly StoredConversation[]
  readonly engine: readonly EngineRequest[]
  readonly faults: readonly FaultWindow[]
  /** What conversations without instructions of their own begin with, if anything. */
  readonly systemPrompt: string | null
  /** Null where it was not looked for. */
  readonly leftovers: Leftovers | null
}

/**
 * - `loss`: something accepted or shown is gone, or never ended
 * - `double`: something happened twice
 * - `reorder`: something came out of order, or where it does not belong
 * - `error`: a user saw an error that the fault does not excuse
 * - `leak`: something was left over
 */
export type FindingKind = 'loss' | 'double' | 'reorder' | 'error' | 'leak'

export interface Finding {
  readonly kind: FindingKind
  readonly what: string
  readonly conversationId: number | null
  readonly turnId: string | null
  readonly at: number | null
}
