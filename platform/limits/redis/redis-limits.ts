/** Limits that the processes of a cluster share; while Redis is away, each keeps them for itself. */
import type { RedisConnection } from '../../redis/redis-connection.ts'
import { RedisUnavailable } from '../../redis/redis-connection.ts'
import type { Limit, LimitDefinition, Limits } from '../limits.ts'
import { MemoryLimits, type MemoryLimitsOptions } from '../memory/memory-limits.ts'
import { verdictOf } from '../verdict.ts'

/**
 * What is refused is not counted, and nothing is counted below nothing. ARGV: cost, seconds of the window, points. A cost
 * below 0 is given back. Answers what would be used, and milliseconds until the window ends.
 */
const script = `
local used = tonumber(redis.call('get', KEYS[1]) or '0')
local cost = tonumber(ARGV[1])
local left = redis.call('pttl', KEYS[1])
local window = 1000 * tonumber(ARGV[2])
if left < 0 then left = window end
if cost < 0 then cost = math.max(cost, -used) end
if cost == 0 or (cost > 0 and used + cost > tonumber(ARGV[3])) then return {used + cost, left} end
redis.call('set', KEYS[1], string.format('%.0f', used + cost), 'px', left)
return {used + cost, left}
`

interface WithScript {
  countLimit(key: string, cost: number, perSeconds: number, points: number): Promise<readonly [used: number, leftMs: number]>
}

export class RedisLimits implements Limits {
  readonly #connection: RedisConnection
  readonly #local: MemoryLimits
  readonly #unshared: () => void

  /** `unshared` is called whenever this process counts for itself what it should share. */
  constructor(connection: RedisConnection, options: MemoryLimitsOptions & { readonly unshared?: () => void }) {
    connection.define('countLimit', { numberOfKeys: 1, lua: script })
    this.#connection = connection
    this.#local = new MemoryLimits(options)
    this.#unshared = options.unshared ?? (() => undefined)
  }

  limit(definition: LimitDefinition): Limit {
    const { name, points, perSeconds } = definition
    const local = this.#local.limit(definition)
    const count = (key: string, cost: number, most: number): Promise<readonly [used: number, leftMs: number]> =>
      this.#connection.request(0, (client) => (client as unknown as WithScript).countLimit(`chatterbot:limit:${name}:${key}`, cost, perSeconds, most))
    const orElse = async <T>(ask: () => Promise<T>, alone: () => Promise<T>): Promise<T> => {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof RedisUnavailable)) throw error
        this.#unshared()
        return alone()
      }
    }
    return {
      take: (key, cost = 1) =>
        orElse(
          async () => {
            const [consumedPoints, msBeforeNext] = await count(key, cost, points)
            return verdictOf({ consumedPoints, msBeforeNext }, points, cost)
          },
          () => local.take(key, cost),
        ),
      charge: (key, cost) => orElse(async () => void (await count(key, cost, Number.MAX_SAFE_INTEGER)), () => local.charge(key, cost)),
      giveBack: (key, cost = 1) => orElse(async () => void (await count(key, -cost, points)), () => local.giveBack(key, cost)),
    }
  }
}
