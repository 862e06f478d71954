/**
 * Leases that the processes of a cluster share. Of each key a sorted set of ids, by when they end; of each lease a string
 * with what it was taken with. By Redis's own clock.
 */
import type { RedisConnection } from '../../redis/redis-connection.ts'
import { RedisUnavailable } from '../../redis/redis-connection.ts'
import type { LeaseRequest, Leases, LeaseVerdict } from '../leases.ts'

/** KEYS: the lease, then its holders. ARGV: id, milliseconds, what to keep, then how many each holder may have. Answers 1: taken, 0: held before, -n: the nth holder has as many as it may. */
const takeScript = `
if redis.call('exists', KEYS[1]) == 1 then return 0 end
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + tonumber(ARGV[2])
for n = 2, #KEYS do
  redis.call('zremrangebyscore', KEYS[n], '-inf', now)
  if redis.call('zcard', KEYS[n]) >= tonumber(ARGV[n + 2]) then return 1 - n end
end
for n = 2, #KEYS do
  redis.call('zadd', KEYS[n], ends, ARGV[1])
  if redis.call('pttl', KEYS[n]) < tonumber(ARGV[2]) then redis.call('pexpire', KEYS[n], ARGV[2]) end
end
redis.call('set', KEYS[1], ARGV[3], 'px', ARGV[2])
return 1
`

/** KEYS: the lease. ARGV: its id, and what the names of its holders' keys begin with. Answers what was kept of it. */
const giveBackScript = `
local kept = redis.call('getdel', KEYS[1])
if not kept then return false end
local read, lease = pcall(cjson.decode, kept)
if read and type(lease) == 'table' and type(lease.keys) == 'table' then
  for _, key in ipairs(lease.keys) do
    if type(key) == 'string' then redis.pcall('zrem', ARGV[2] .. key, ARGV[1]) end
  end
end
return kept
`

interface WithScripts {
  takeLease(...args: readonly (string | number)[]): Promise<number>
  giveLeaseBack(key: string, id: string, holders: string): Promise<string | null>
}

interface Kept {
  readonly keys: readonly string[]
  readonly note: string
}

export class RedisLeases implements Leases {
  readonly #connection: RedisConnection
  readonly #uncounted: () => void

  /** `uncounted` is called whenever a lease is allowed without being counted. */
  constructor(connection: RedisConnection, { uncounted = () => undefined }: { readonly uncounted?: () => void } = {}) {
    this.#connection = connection
    this.#uncounted = uncounted
    connection.define('takeLease', { lua: takeScript })
    connection.define('giveLeaseBack', { numberOfKeys: 1, lua: giveBackScript })
  }

  async take({ id, holders, forMs, note }: LeaseRequest): Promise<LeaseVerdict> {
    const kept: Kept = { keys: holders.map(({ key }) => key), note }
    const keys = [leaseKey(id), ...kept.keys.map(holderKey)]
    const args = [keys.length, ...keys, id, Math.max(1, Math.ceil(forMs)), JSON.stringify(kept), ...holders.map(({ most }) => most)]
    try {
      const answer = await this.#connection.request(0, (client) => (client as unknown as WithScripts).takeLease(...args))
      if (answer >= 0) return { allowed: true, isNew: answer === 1 }
      return { allowed: false, key: kept.keys[-answer - 1] ?? '' }
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      this.#uncounted()
      return { allowed: true, isNew: true }
    }
  }

  async giveBack(id: string): Promise<Kept | null> {
    try {
      const found = await this.#connection.request(0, (client) => (client as unknown as WithScripts).giveLeaseBack(leaseKey(id), id, holderKey('')))
      return found === null ? null : keptOf(found)
    } catch (error) {
      // It ends by itself.
      if (!(error instanceof RedisUnavailable)) throw error
      return null
    }
  }
}

function leaseKey(id: string): string {
  return `chatterbot:lease:${id}`
}

function holderKey(key: string): string {
  return `chatterbot:leases:${key}`
}

/** Null where somebody else has written it. */
function keptOf(found: string): Kept | null {
  try {
    const { keys, note } = JSON.parse(found) as Partial<Kept>
    return Array.isArray(keys) && keys.every((key) => typeof key === 'string') && typeof note === 'string' ? { keys, note } : null
  } catch {
    return null
  }
}
