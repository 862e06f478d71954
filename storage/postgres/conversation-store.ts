/** The store on Postgres: finds the shard of each id, and leaves the work to the shard's parts. */
import { createHash } from 'node:crypto'
import { ChatError } from '../../protocol/errors.ts'
import { bucketOfId, bucketOfTurn, bucketOfUser } from '../../protocol/ids.ts'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { DeadLetter } from '../../platform/bus/dead-letters.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type {
  ClaimResult, ConversationRow, ConversationStore, ConversationWrite, CreateConversation, DrawnConversation, MessagePage, OwnerToken, StoredReply, SweptTurn, TurnRow, WriteOptions, WriteResult,
} from '../conversation-store.ts'
import { asChatError, isMissingPartition, isRowFault } from './faults.ts'
import type { FirstWrites } from './first-writes.ts'
import type { History } from './history.ts'
import { exportMessages } from './message-export.ts'
import type { Ownership } from './ownership.ts'
import { purge } from './purge.ts'
import { conversationFrom, messageFrom, replyFrom, turnFrom, type StoredConversation, type StoredMessage, type StoredReplyRow, type StoredTurn } from './rows.ts'
import type { Shard } from './shard.ts'
import { conversationByClientId, createConversation } from './statements/create-conversation.ts'
import { listConversations } from './statements/list-conversations.ts'
import { conversationById, messageById, replyById, turnByClientId, turnById } from './statements/single-rows.ts'
import { stillOwned } from './statements/still-owned.ts'
import { sweepTurns } from './statements/sweep-turns.ts'
import { deadLetterFrom, deadLetterSent, unsentDeadLetters, type UnsentDeadLetter } from './statements/unsent-dead-letters.ts'

/** One shard's parts. */
export interface StoreShard {
  readonly shard: Shard
  readonly writes: FirstWrites
  readonly ownership: Ownership
  readonly history: History
}

export class PostgresConversationStore implements ConversationStore {
  readonly #shards: readonly StoreShard[]
  readonly #ofBucket: readonly StoreShard[]
  readonly #logger: Logger

  /** `ofBucket` has an entry for each bucket. */
  constructor(shards: readonly StoreShard[], ofBucket: readonly StoreShard[], logger: Logger) {
    this.#shards = shards
    this.#ofBucket = ofBucket
    this.#logger = logger
  }

  async createConversation(input: CreateConversation): Promise<ConversationRow> {
    const { userId, clientConversationId, title, model, system, history = [], expiresAfterMs = null } = input
    const bucket = bucketOfUser(userId)
    const { shard } = this.#at(bucket)
    const hash = clientConversationId === null ? null : hashOf(input)
    return unavailableWhileAway(async () => {
      const [created] = await shard.write<StoredConversation & { in_owned_bucket: boolean }>(
        createConversation,
        [bucket, userId, clientConversationId, hash, title, model, system, history.map(({ role }) => role), history.map(({ content }) => content), expiresAfterMs],
      )
      if (created?.in_owned_bucket !== true) throw new ChatError('unavailable')
      if (created.id !== null) return conversationFrom(created)
      const [first] = await shard.read<StoredConversation & { command_hash: Uint8Array }>(conversationByClientId, [userId, clientConversationId])
      if (first === undefined) throw new ChatError('unavailable')
      if (hash === null || !hash.equals(first.command_hash)) throw new ChatError('idempotency_conflict')
      return conversationFrom(first)
    })
  }

  drawConversation(userId: string): Promise<DrawnConversation> {
    const bucket = bucketOfUser(userId)
    return this.#at(bucket).ownership.draw(bucket)
  }

  conversation(conversationId: number): Promise<ConversationRow | null> {
    return unavailableWhileAway(async () => {
      const [row] = await this.#of(conversationId).shard.read<StoredConversation>(conversationById, [conversationId])
      return row === undefined ? null : conversationFrom(row)
    })
  }

  listConversations(userId: string, { before, limit }: { readonly before?: number; readonly limit: number }): Promise<{ readonly conversations: readonly ConversationRow[]; readonly hasMore: boolean }> {
    return unavailableWhileAway(async () => {
      const rows = await this.#at(bucketOfUser(userId)).shard.read<StoredConversation>(listConversations, [userId, before ?? null, limit + 1])
      return { conversations: rows.slice(0, limit).map(conversationFrom), hasMore: rows.length > limit }
    })
  }

  claim(conversationId: number, options: { readonly force?: boolean } = {}): Promise<ClaimResult> {
    return this.#of(conversationId).ownership.claim(conversationId, options.force ?? false)
  }

  release(conversationId: number, token: OwnerToken): Promise<void> {
    return this.#of(conversationId).ownership.release(conversationId, token)
  }

  write(write: ConversationWrite, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#of(write.conversationId).writes.write(write, options)
  }

  async stillOwned(tokens: ReadonlyMap<number, OwnerToken>): Promise<{ readonly owned: ReadonlySet<number>; readonly unknown: ReadonlySet<number> }> {
    const owned = new Set<number>()
    const unknown = new Set<number>()
    await Promise.all(
      this.#shards.map(async ({ shard }) => {
        const entries = [...tokens].filter(([conversationId]) => this.#of(conversationId).shard === shard)
        if (entries.length === 0) return
        const ids = entries.map(([conversationId]) => conversationId)
        try {
          const rows = await shard.read<{ id: number }>(stillOwned, [ids, entries.map(([, token]) => token.epoch), entries.map(([, token]) => token.node), entries.map(([, token]) => token.bootId)])
          for (const { id } of rows) owned.add(id)
        } catch (error) {
          // The others' conversations may have been lost meanwhile, and must not be shown for as long as this one is away.
          this.#logger.warn({ err: error, shard: shard.name }, 'shard not asked what is owned')
          for (const id of ids) unknown.add(id)
        }
      }),
    )
    return { owned, unknown }
  }

  messagesBefore(conversationId: number, page: { readonly before?: number; readonly limit: number; readonly maxBytes: number }): Promise<MessagePage> {
    return unavailableWhileAway(() => this.#of(conversationId).history.before(conversationId, page))
  }

  messagesAfter(conversationId: number, page: { readonly after: number; readonly limit: number; readonly maxBytes: number }): Promise<MessagePage> {
    return unavailableWhileAway(() => this.#of(conversationId).history.after(conversationId, page))
  }

  async *exportMessages(conversationId: number, signal: AbortSignal): AsyncGenerator<readonly Message[], void, undefined> {
    try {
      yield* exportMessages(this.#of(conversationId), conversationId, signal)
    } catch (error) {
      throw signal.aborted ? error : asChatError(error)
    }
  }

  path(conversationId: number, page: { readonly leaf: number; readonly limit: number; readonly maxBytes: number }): Promise<{ readonly messages: readonly Message[]; readonly more: number | null }> {
    return unavailableWhileAway(() => this.#of(conversationId).history.path(conversationId, page))
  }

  message(conversationId: number, messageId: number): Promise<Message | null> {
    return unavailableWhileAway(async () => {
      const [row] = await this.#of(conversationId).shard.read<StoredMessage>(messageById, [conversationId, messageId])
      return row === undefined ? null : messageFrom(row)
    })
  }

  reply(conversationId: number, messageId: number): Promise<StoredReply | null> {
    return unavailableWhileAway(async () => {
      const [row] = await this.#of(conversationId).shard.read<StoredReplyRow>(replyById, [conversationId, messageId])
      return row === undefined ? null : replyFrom(row)
    })
  }

  acceptedTurn(conversationId: number, clientMessageId: string): Promise<{ readonly turn: TurnRow; readonly commandHash: Uint8Array } | null> {
    return unavailableWhileAway(async () => {
      const [row] = await this.#at(bucketOfId(conversationId)).shard.read<StoredTurn>(turnByClientId, [conversationId, clientMessageId])
      return row === undefined ? null : { turn: turnFrom(row), commandHash: row.command_hash }
    })
  }

  turn(turnId: string): Promise<TurnRow | null> {
    return unavailableWhileAway(async () => {
      const [row] = await this.#at(bucketOfTurn(turnId)).shard.read<StoredTurn>(turnById, [turnId])
      return row === undefined ? null : turnFrom(row)
    })
  }

  async sweep({ olderThan, limit }: { readonly olderThan: number; readonly limit: number }): Promise<readonly SweptTurn[]> {
    const rows = await this.#ofReachable('swept', (shard) => shard.read<StoredTurn & { readonly live_owner: string | null }>(sweepTurns, [olderThan, limit]))
    const turns = rows.map((row) => ({ liveOwner: row.live_owner, ...turnFrom(row) }))
    return turns.sort((a, b) => a.acceptedAt - b.acceptedAt).slice(0, limit)
  }

  async unsentDeadLetters({ failedBefore, limit }: { readonly failedBefore: number; readonly limit: number }): Promise<readonly DeadLetter[]> {
    const rows = await this.#ofReachable('asked for dead letters', (shard) => shard.read<UnsentDeadLetter>(unsentDeadLetters, [failedBefore, limit]))
    return rows.map(deadLetterFrom).sort((a, b) => a.failedAt - b.failedAt).slice(0, limit)
  }

  deadLetterSent(turnId: string): Promise<void> {
    return unavailableWhileAway(async () => void (await this.#at(bucketOfTurn(turnId)).shard.read(deadLetterSent, [turnId])))
  }

  async purge({ limit }: { readonly limit: number }): Promise<boolean> {
    const more = await this.#ofReachable('purged', async (shard) => [await purge(shard, limit)])
    return more.includes(true)
  }

  /** Rows of all shards. One that cannot be reached is left out, unless none can. */
  async #ofReachable<Row>(what: string, read: (shard: Shard) => Promise<Row[]>): Promise<Row[]> {
    const outcomes = await Promise.allSettled(this.#shards.map(({ shard }) => read(shard)))
    const found = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') continue
      if (found.length === 0) throw asChatError(outcome.reason)
      this.#logger.warn({ err: outcome.reason, shard: this.#shards[index]?.shard.name }, `shard not ${what}`)
    }
    return found.flat()
  }

  #of(conversationId: number): StoreShard {
    return this.#at(bucketOfId(conversationId))
  }

  #at(bucket: number): StoreShard {
    return this.#ofBucket[bucket] as StoreShard
  }
}

/** SHA-256 of what a conversation begins as. Never to be changed: it is stored. */
function hashOf({ title, model, system, history = [], expiresAfterMs }: CreateConversation): Buffer {
  const begins = [title, model, system, ...history.map(({ role, content }) => [role, content]), ...(expiresAfterMs === undefined ? [] : ['expires'])]
  return createHash('sha256').update(JSON.stringify(begins)).digest()
}

async function unavailableWhileAway<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    // Of creates; what a write holds is refused as its result.
    if (isRowFault(error)) throw new ChatError('invalid_field', undefined, { cause: error })
    // It is made before long.
    if (isMissingPartition(error)) throw new ChatError('unavailable', undefined, { cause: error })
    throw asChatError(error)
  }
}
