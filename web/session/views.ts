/** What the page shows, free of anything it does not show. Every value is immutable, and the same object while nothing in it changed. */
import type { Branches } from './message-tree.ts'

export interface ShownError {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
}

/** What has become of a message, or of the reply that it stands for. */
export type MessageState =
  /** Not accepted by the server yet: on its way, or kept until there is a connection. `held`: refused for now, and sent again by itself at `until`. */
  | { readonly kind: 'sending'; readonly held: { readonly reason: string; readonly until: string } | null }
  /** Refused, or given up. */
  | { readonly kind: 'unsent'; readonly error: ShownError }
  /** Behind the running reply of the same conversation. */
  | { readonly kind: 'waiting' }
  /** For a model. `position`: turns ahead; null: unknown. `etaMs`: until it begins; null: unknown. */
  | { readonly kind: 'queued'; readonly position: number | null; readonly etaMs: number | null }
  | { readonly kind: 'running' }
  /** Its generation is being taken over after a fault. */
  | { readonly kind: 'resuming' }
  | { readonly kind: 'done'; readonly reason: 'stop' | 'length' | 'stopped' | 'filtered' }
  | { readonly kind: 'failed'; readonly error: ShownError }

export interface ShownMessage {
  /** Stays the same from the moment a message is said until long after it is stored. */
  readonly key: string
  /** null until the server has accepted it. */
  readonly id: number | null
  readonly role: 'user' | 'assistant'
  readonly text: string
  readonly state: MessageState
  readonly branches: Branches
  readonly turnId: string | null
  /** Model of a reply, where it is known. */
  readonly model: string | null
}

export interface ThreadView {
  /** One for each time that somebody turned to another conversation. It stays while a new one gets its id. */
  readonly visit: number
  /** null: a new conversation that nothing was said in. */
  readonly conversationId: number | null
  readonly title: string | null
  readonly status: 'ready' | 'opening' | 'missing'
  readonly messages: readonly ShownMessage[]
  readonly olderMessages: 'none' | 'more' | 'loading'
}

export interface ConversationEntry {
  readonly id: number
  readonly title: string | null
  readonly updatedAt: string
}

export interface ListView {
  readonly entries: readonly ConversationEntry[]
  readonly more: boolean
  readonly status: 'loading' | 'ready' | 'failed'
}

export type ConnectionView =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open' }
  /** Lost; it is being made anew. */
  | { readonly kind: 'reconnecting' }
  /** Ended, and not made anew by itself. */
  | { readonly kind: 'closed'; readonly reason: string; readonly code: string | null }

/** Whether a reply is still under way. */
export function isUnfinished(state: MessageState): boolean {
  return state.kind === 'waiting' || state.kind === 'queued' || state.kind === 'running' || state.kind === 'resuming'
}
