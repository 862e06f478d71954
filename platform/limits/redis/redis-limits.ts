/** Limits that the processes of a cluster share; while Redis is away, each keeps them for itself. */
import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { RedisConnection } from '../../redis/redis-connection.ts'
import { RedisUnavailable } from '../../redis/redis-connection.ts'
import type { Limit, LimitDefinition, Limits, LimitVerdict } from '../limits.ts'
import { MemoryLimits, type MemoryLimitsOptions } from '../memory/memory-limits.ts'
import { takeFrom } from '../verdict.ts'

export class RedisLimits implements Limits {
  readonly #client: object
  readonly #local: MemoryLimits

  constructor(connection: RedisConnection, options: MemoryLimitsOptions) {
    this.#client = scriptClient(connection)
    this.#local = new MemoryLimits(options)
  }

  limit(definition: LimitDefinition): Limit {
    const { name, points, perSeconds } = definition
    const shared = new RateLimiterRedis({ storeClient: this.#client, keyPrefix: `chatterbot:limit:${name}`, points, duration: perSeconds })
    const local = this.#local.limit(definition)
    return {
      take: (key, cost = 1) => takeFrom(shared, key, cost).catch((error: unknown): Promise<LimitVerdict> => {
        if (!(error instanceof RedisUnavailable)) throw error
        return local.take(key, cost)
      }),
      giveBack: async (key, cost = 1) => {
        await shared.reward(key, cost).catch((error: unknown) => {
          if (!(error instanceof RedisUnavailable)) throw error
          return local.giveBack(key, cost)
        })
      },
    }
  }
}

/** What RateLimiterRedis uses of a client, its script alone, with the connection's patience. */
function scriptClient(connection: RedisConnection): object {
  return {
    defineCommand: (name: string, definition: { readonly numberOfKeys: number; readonly lua: string }) => connection.define(name, definition),
    rlflxIncr: (args: readonly string[]) => connection.request(0, (client) => (client as unknown as { rlflxIncr(args: readonly string[]): Promise<unknown> }).rlflxIncr(args)),
  }
}
