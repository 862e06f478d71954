/** What a Redis server tells of itself, and why one cannot be used. */
import { exitCodes, StartupFault } from '../lifecycle/startup-fault.ts'

export interface RedisServerInfo {
  readonly version: string
  readonly policy: string
  /** It has a limit of memory, and evicts nothing to stay below it. */
  readonly mayFill: boolean
}

const oldestMajor = 7

/** Of the answer to INFO. */
export function describeServer(info: string): RedisServerInfo {
  const field = (name: string): string => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? ''
  const policy = field('maxmemory_policy')
  return { version: field('redis_version'), policy, mayFill: Number(field('maxmemory')) > 0 && policy === 'noeviction' }
}

/** Throws StartupFault. */
export function requireVersion({ version }: RedisServerInfo): void {
  if (Number.parseInt(version, 10) >= oldestMajor) return
  throw new StartupFault(`Redis is of version ${version === '' ? 'unknown' : version}.`, `Run Redis ${oldestMajor} or later, or leave out REDIS_URL.`, { exitCode: exitCodes.config })
}

/** The fault behind a server's refusal, or null where it is only not ready yet. */
export function refusalFault(error: Error): StartupFault | null {
  if (/^(LOADING|BUSY|MASTERDOWN|TRYAGAIN)/.test(error.message)) return null
  if (/^(WRONGPASS|NOAUTH|NOPERM)/.test(error.message)) {
    return new StartupFault(`Redis refuses the credentials in REDIS_URL (${error.message.split(' ')[0]}).`, 'Correct user and password in REDIS_URL (redis://user:password@host). The user needs the commands info, get, getdel, getrange, set, unlink, exists, pttl, pexpire, time, zadd, zcard, zrem, zremrangebyscore, eval and evalsha, on the keys chatterbot:*.', { exitCode: exitCodes.config })
  }
  return new StartupFault(`Redis refuses this process: ${error.message}`, 'See that REDIS_URL names the right server and database.', { exitCode: exitCodes.config })
}
