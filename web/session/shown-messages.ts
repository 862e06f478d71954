import type { ChatMessage, ConversationState, LiveTurn, OutboxMessage } from '../../client/client.ts'
import { heldFor, spokenError } from './spoken-errors.ts'
import { branchesAt, growTree, shownPath, type Branches, type MessageTree } from './message-tree.ts'
import type { MessageState, ShownMessage } from './views.ts'

/** What is shown of what a client holds. */
export type HeldConversation = Pick<ConversationState, 'messages' | 'turns' | 'outbox'>

/** A stored message, or the reply that a live turn will become. */
interface Node {
  readonly id: number
  readonly parentId: number | null
  readonly message: ChatMessage | null
}

const unknownError = { code: 'internal', message: 'Something went wrong.', retryable: true }

const alone: Branches = { number: 1, count: 1, previousId: null, nextId: null }

/**
 * Turns what the client holds into the messages that are shown, again and again. What did not change is the same
 * object as before, so that a delta renders one message.
 */
export class ThreadProjection {
  #messages: readonly ChatMessage[] = []
  #replyIds = ''
  #tree: MessageTree<Node> = growTree<Node>([])
  #shown: readonly ShownMessage[] = []

  /** `chosen`: a message whose newest descendant is the end of the path; null: the newest of all. */
  project(state: HeldConversation, chosen: number | null): readonly ShownMessage[] {
    const path = shownPath(this.#treeOf(state), chosen)
    const turns = new Map(state.turns.map((turn) => [turn.replyMessageId, turn]))
    const shown: ShownMessage[] = []
    for (const node of path) {
      const { message } = node
      if (message?.role === 'system') continue
      const branches = branchesAt(this.#tree, node)
      const turn = turns.get(node.id)
      if (message !== null) shown.push(stored(message, branches))
      else if (turn !== undefined) shown.push(underWay(turn, branches))
    }
    const reused = reuse(this.#shown, withOutbox(shown, state.outbox))
    this.#shown = reused
    return reused
  }

  /** The end of the shown path, where it is not the newest message: what is said there needs to name its parent. */
  parentForSend(state: HeldConversation, chosen: number | null): number | undefined {
    const tree = this.#treeOf(state)
    const last = shownPath(tree, chosen).at(-1)
    return last === undefined || last.id === tree.newest ? undefined : last.id
  }

  #treeOf({ messages, turns }: HeldConversation): MessageTree<Node> {
    const replyIds = turns.map(({ replyMessageId }) => replyMessageId).join()
    if (messages !== this.#messages || replyIds !== this.#replyIds) {
      this.#tree = growTree([
        ...turns.map(({ replyMessageId, userMessageId }) => ({ id: replyMessageId, parentId: userMessageId, message: null })),
        ...messages.map((message) => ({ id: message.id, parentId: message.parentId, message })),
      ])
      this.#messages = messages
      this.#replyIds = replyIds
    }
    return this.#tree
  }
}

function stored(message: ChatMessage, branches: Branches): ShownMessage {
  const { id, role, text, clientMessageId, turnId, model = null } = message
  return {
    key: role === 'user' && clientMessageId !== undefined ? ownKey(clientMessageId) : `m${id}`,
    id,
    role: role === 'user' ? 'user' : 'assistant',
    text,
    state: endOf(message),
    branches,
    turnId,
    model,
  }
}

function endOf({ reason, error }: ChatMessage): MessageState {
  if (reason !== 'failed') return { kind: 'done', reason: reason ?? 'stop' }
  return { kind: 'failed', error: spokenError(error ?? unknownError) }
}

function underWay(turn: LiveTurn, branches: Branches): ShownMessage {
  const state: MessageState = turn.state === 'queued' ? { kind: 'queued', position: turn.position, etaMs: turn.etaMs } : { kind: turn.state }
  return { key: `m${turn.replyMessageId}`, id: turn.replyMessageId, role: 'assistant', text: turn.text, state, branches, turnId: turn.turnId, model: turn.model }
}

/** Appends what was not accepted yet. What begins a branch takes the place of what is shown below its parent. */
function withOutbox(path: readonly ShownMessage[], outbox: readonly OutboxMessage[]): readonly ShownMessage[] {
  let shown = path
  for (const entry of outbox) {
    if (entry.parentId !== undefined) {
      const parent = shown.findIndex(({ id }) => id === entry.parentId)
      if (parent < 0 && entry.parentId !== null) continue
      shown = shown.slice(0, parent + 1)
    }
    shown = [...shown, unaccepted(entry)]
  }
  return shown
}

function unaccepted({ clientMessageId, kind, text, state, error, heldUntil }: OutboxMessage): ShownMessage {
  return {
    key: ownKey(clientMessageId),
    id: null,
    role: kind === 'regenerate' ? 'assistant' : 'user',
    text,
    state: state === 'pending' ? { kind: 'sending', held: heldUntil === null ? null : { reason: heldFor(error), until: heldUntil } } : { kind: 'unsent', error: spokenError(error?.toPublic() ?? unknownError) },
    branches: alone,
    turnId: null,
    model: null,
  }
}

function ownKey(clientMessageId: string): string {
  return `c${clientMessageId}`
}

/** Of a message whose key was made from it. */
export function clientMessageIdOf(key: string): string {
  return key.slice(1)
}

function reuse(before: readonly ShownMessage[], after: readonly ShownMessage[]): readonly ShownMessage[] {
  const byKey = new Map(before.map((message) => [message.key, message]))
  const merged = after.map((message) => {
    const known = byKey.get(message.key)
    return known !== undefined && isSame(known, message) ? known : message
  })
  return merged.length === before.length && merged.every((message, at) => message === before[at]) ? before : merged
}

function isSame(one: object, other: object): boolean {
  const fields = Object.entries(one) as [string, unknown][]
  if (fields.length !== Object.keys(other).length) return false
  return fields.every(([name, value]) => {
    const counterpart = (other as Record<string, unknown>)[name]
    return Object.is(value, counterpart) || (typeof value === 'object' && typeof counterpart === 'object' && value !== null && counterpart !== null && isSame(value, counterpart))
  })
}
