/**
 * What turns answer, without reading it from Postgres each time. A path is known by its leaf, and never changes: one that
 * ends in the wanted message is the answer, one that ends in its parent is short of that message only. It is looked for
 *
 * 1. in this process, among the paths of late,
 * 2. in the cache that the processes share: the newest path of the conversation, unless it is short, for when it has moved,
 * 3. in the store.
 *
 * Nothing here is needed, or waited for but where it is asked: an entry that is gone, old or garbage is read anew.
 */
import { LRUCache } from 'lru-cache'
import type { ContextMessage } from '../../protocol/bus/begin.ts'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { Cache } from '../../platform/cache/cache.ts'
import type { Metrics } from '../../platform/metrics/metrics.ts'
import type { ConversationStore, ConversationWrite, WriteResult } from '../../storage/conversation-store.ts'
import type { Turn } from '../conversation/turn.ts'
import { contextEntryFormat, decodeContextEntry, encodeContextEntry } from './context-entry.ts'
import { appendToPath, contextPage, emptyPath, type ContextPath, type PageLimits } from './context-path.ts'

export interface ContextCacheOptions {
  readonly store: Pick<ConversationStore, 'path'>
  /** Shared by the processes. */
  readonly cache: Cache
  /** Of the database that holds the conversation. A failover may forget what was committed: it changes then. Null: it is not known, and nothing is cached. */
  readonly timelineOf: (conversationId: number) => string | null
  readonly metrics: Metrics
  /** 200 messages and 256 KiB where absent. */
  readonly page?: PageLimits
  /** Messages of a path from which on it is shared; 8 where absent. */
  readonly sharedFrom?: number
  /** Of text kept in this process, half of it for paths and half for questions; 64 MiB where absent. */
  readonly keptBytes?: number
}

/** The part of a turn that says what it answers. */
export type AskingTurn = Pick<Turn, 'userMessageId' | 'parentId'>

export interface ContextSource {
  /** The user message of the turn and its ancestors. Rejects as the store does. */
  path(conversationId: number, turn: AskingTurn): Promise<ContextPath>
  /** A write of the conversation has been committed; `turns` as they stood before. */
  committed(conversationId: number, turns: readonly Turn[], write: Pick<ConversationWrite, 'accept' | 'ends' | 'remove'>, result: WriteResult): void
}

/** Where nothing is cached. */
export function storedContexts(store: Pick<ConversationStore, 'path'>): ContextSource {
  return { path: (conversationId, { userMessageId }) => readPath(store, conversationId, userMessageId, contextPage), committed: () => undefined }
}

/** A shorter one is read from the store as quickly: docs/decisions/0010. */
const defaultSharedFrom = 8
const defaultKeptBytes = 64 * 1024 * 1024
/** What a message takes beside its text. */
const messageOverheadBytes = 150
/** Conversations rest for longer than this rarely, and are read from the store then. */
const ttlMs = 60 * 60 * 1000
/** Entries being written to the shared cache; one beyond them is left out. */
const mostWriting = 64

export class ContextCache implements ContextSource {
  readonly #options: ContextCacheOptions
  readonly #page: PageLimits
  readonly #sharedFrom: number
  /** By timeline and leaf. */
  readonly #paths: LRUCache<string, ContextPath>
  /** User messages that were accepted here, by timeline and id. */
  readonly #asked: LRUCache<string, ContextMessage>
  readonly #count: (found: 'here' | 'shared' | 'stored') => void
  #writing = 0

  constructor(options: ContextCacheOptions) {
    this.#options = options
    this.#page = options.page ?? contextPage
    this.#sharedFrom = options.sharedFrom ?? defaultSharedFrom
    const keptBytes = options.keptBytes ?? defaultKeptBytes
    this.#paths = new LRUCache({ maxSize: Math.floor(keptBytes / 2), sizeCalculation: ({ messages }) => messages.reduce((sum, message) => sum + sizeOf(message), messageOverheadBytes) })
    this.#asked = new LRUCache({ maxSize: Math.floor(keptBytes / 2), sizeCalculation: sizeOf })
    const reads = options.metrics.counter({ name: 'chatterbot_contexts_total', help: 'Contexts of turns by where they were found: in this process, in the shared cache, or in Postgres', labels: ['found'] })
    this.#count = (found) => reads.inc({ found })
  }

  async path(conversationId: number, turn: AskingTurn): Promise<ContextPath> {
    const timeline = this.#options.timelineOf(conversationId)
    const here = timeline === null ? null : this.#here(timeline, turn)
    const shared = timeline === null || here !== null ? null : await this.#shared(timeline, conversationId, turn)
    const path = here ?? shared ?? (await readPath(this.#options.store, conversationId, turn.userMessageId, this.#page))
    this.#count(here !== null ? 'here' : shared !== null ? 'shared' : 'stored')
    if (timeline !== null) {
      this.#keep(timeline, path)
      if (here === null && shared === null) this.#share(timeline, conversationId, path)
    }
    return path
  }

  committed(conversationId: number, turns: readonly Turn[], { accept, ends = [], remove }: Pick<ConversationWrite, 'accept' | 'ends' | 'remove'>, result: WriteResult): void {
    const timeline = this.#options.timelineOf(conversationId)
    if (timeline === null || result.status !== 'committed') return
    // Nobody asks for it any more, and nothing of it is to lie about.
    if (remove === true) void this.#options.cache.delete(entryKey(timeline, conversationId))
    for (const end of ends) {
      const turn = turns.find(({ turnId }) => turnId === end.turnId)
      const asked = turn === undefined ? null : this.#here(timeline, turn)
      if (turn === undefined || asked === null) continue
      const path = appendToPath(asked, { message_id: turn.replyMessageId, role: 'assistant', content: end.content }, this.#page)
      // The longer one takes their place: a conversation takes its memory once.
      for (const leaf of [turn.userMessageId, turn.parentId]) if (leaf !== null) this.#paths.delete(keyOf(timeline, leaf))
      this.#asked.delete(keyOf(timeline, turn.userMessageId))
      this.#keep(timeline, path)
      this.#share(timeline, conversationId, path)
    }
    if (accept?.user.type === 'new' && result.accepted !== undefined) {
      const { userMessageId } = result.accepted
      this.#asked.set(keyOf(timeline, userMessageId), { message_id: userMessageId, role: 'user', content: accept.user.content })
    }
  }

  #here(timeline: string, { userMessageId, parentId }: AskingTurn): ContextPath | null {
    const whole = this.#paths.get(keyOf(timeline, userMessageId))
    if (whole !== undefined) return whole
    const asked = this.#asked.get(keyOf(timeline, userMessageId))
    const before = parentId === null ? emptyPath : this.#paths.get(keyOf(timeline, parentId))
    return asked === undefined || before === undefined ? null : appendToPath(before, asked, this.#page)
  }

  async #shared(timeline: string, conversationId: number, { userMessageId, parentId }: AskingTurn): Promise<ContextPath | null> {
    const bytes = await this.#options.cache.get(entryKey(timeline, conversationId))
    const path = bytes === null ? null : await decodeContextEntry(conversationId, bytes)
    const leaf = path?.messages.at(-1)?.message_id
    if (path === null || leaf === userMessageId) return path
    const asked = this.#asked.get(keyOf(timeline, userMessageId))
    return asked !== undefined && leaf === parentId ? appendToPath(path, asked, this.#page) : null
  }

  #keep(timeline: string, path: ContextPath): void {
    const leaf = path.messages.at(-1)
    if (leaf !== undefined) this.#paths.set(keyOf(timeline, leaf.message_id), path)
  }

  #share(timeline: string, conversationId: number, path: ContextPath): void {
    if (this.#writing >= mostWriting || path.messages.length < this.#sharedFrom) return
    this.#writing += 1
    void encodeContextEntry(conversationId, path)
      .then((bytes) => this.#options.cache.put(entryKey(timeline, conversationId), bytes, ttlMs))
      // What is not written is read from the store.
      .catch(() => undefined)
      .finally(() => {
        this.#writing -= 1
      })
  }
}

async function readPath(store: Pick<ConversationStore, 'path'>, conversationId: number, leaf: number, page: PageLimits): Promise<ContextPath> {
  const { messages, more } = await store.path(conversationId, { leaf, ...page })
  return { messages: messages.map(contextMessage), more }
}

export function contextMessage({ message_id, role, content, turn_id }: Message): ContextMessage {
  return { message_id, role, content, ...(turn_id === null ? { imported: true } : {}) }
}

function keyOf(timeline: string, messageId: number): string {
  return `${timeline} ${messageId}`
}

function entryKey(timeline: string, conversationId: number): string {
  return `context:${contextEntryFormat}:${timeline}:${conversationId}`
}

function sizeOf({ content }: ContextMessage): number {
  return 2 * content.length + messageOverheadBytes
}
