/**
 * Pages of messages. Older pages come from a replica where it holds all of them, which it can tell itself; everything
 * else from the primary.
 */
import type { Logger } from '../../platform/logging/logger.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { MessagePage } from '../conversation-store.ts'
import { messageFrom, type StoredMessage } from './rows.ts'
import type { Shard } from './shard.ts'
import { messagePath, messagesAfter, messagesBefore, type PageRow, type PathRow } from './statements/message-pages.ts'
import { pageComplete } from './statements/page-complete.ts'

/** A replica that failed is left alone for this long. */
const replicaRestMs = 5_000

interface PageLimits {
  readonly limit: number
  readonly maxBytes: number
}

export class History {
  readonly #shard: Shard
  readonly #clock: Clock
  readonly #logger: Logger
  /** Monotonic, by replica: when it may be asked again. */
  readonly #restingUntil: number[]

  constructor(shard: Shard, clock: Clock, logger: Logger) {
    this.#shard = shard
    this.#clock = clock
    this.#logger = logger
    this.#restingUntil = shard.replicas.map(() => 0)
  }

  async before(conversationId: number, { before, limit, maxBytes }: PageLimits & { readonly before?: number }): Promise<MessagePage> {
    const values = [conversationId, before ?? Number.MAX_SAFE_INTEGER, limit, maxBytes]
    const rows = (before === undefined ? null : await this.#fromReplica(conversationId, before, values)) ?? (await this.#shard.read<StoredMessage & PageRow>(messagesBefore, values))
    return page(rows)
  }

  async after(conversationId: number, { after, limit, maxBytes }: PageLimits & { readonly after: number }): Promise<MessagePage> {
    return page(await this.#shard.read<StoredMessage & PageRow>(messagesAfter, [conversationId, after, limit, maxBytes]))
  }

  async path(conversationId: number, { leaf, limit, maxBytes }: PageLimits & { readonly leaf: number }): Promise<{ readonly messages: readonly Message[]; readonly more: number | null }> {
    const rows = await this.#shard.read<StoredMessage & PathRow>(messagePath, [conversationId, leaf, limit, maxBytes])
    const given = rows.filter(({ position, bytes }) => position === 1 || bytes <= maxBytes)
    const oldest = given[0]
    const full = given.length < rows.length || given.length === limit || (oldest !== undefined && oldest.bytes >= maxBytes)
    return { messages: given.map(messageFrom), more: full ? (oldest?.parent_id ?? null) : null }
  }

  /** Null where no replica can answer. */
  async #fromReplica(conversationId: number, before: number, values: unknown[]): Promise<(StoredMessage & PageRow)[] | null> {
    const now = this.#clock.monotonic()
    const awake = this.#shard.replicas.flatMap((pool, index) => ((this.#restingUntil[index] ?? 0) <= now ? [{ pool, index }] : []))
    const chosen = awake[Math.floor(Math.random() * awake.length)]
    if (chosen === undefined) return null
    try {
      const client = await chosen.pool.connect()
      let failed = true
      try {
        // The page is read after the check, so that it holds at least what the check has seen.
        const [check, rows] = await Promise.all([
          client.query<{ complete: boolean }>({ values: [conversationId, before], ...pageComplete }),
          client.query<StoredMessage & PageRow>({ values, ...messagesBefore }),
        ])
        failed = false
        return check.rows[0]?.complete ? rows.rows : null
      } finally {
        client.release(failed)
      }
    } catch (error) {
      this.#restingUntil[chosen.index] = now + replicaRestMs
      this.#logger.warn({ err: error, shard: this.#shard.name }, 'a replica did not answer')
      return null
    }
  }
}

function page(rows: readonly (StoredMessage & PageRow)[]): MessagePage {
  const found = rows[0]?.found ?? 0
  return { messages: rows.map(messageFrom), hasMore: found > rows.length }
}
