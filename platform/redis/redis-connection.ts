/**
 * A process's one connection to Redis 7 or later, for what it can do without: caches and limits. No request waits: not
 * for a server that is away, not longer than 100 ms for one that is slow, and not at all for one that was slow several
 * times in a row, until it has answered again. The connection is renewed for ever.
 */
import { Redis } from 'ioredis'
import { CircuitBreaker } from '../circuit-breaker.ts'
import type { Clock } from '../clock.ts'
import { once } from '../lifecycle/once.ts'
import type { Service } from '../lifecycle/service.ts'
import { StartupFault } from '../lifecycle/startup-fault.ts'
import type { Logger } from '../logging/logger.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { describeServer, refusalFault, requireVersion } from './redis-server-info.ts'

export interface RedisConnectionOptions {
  /** `redis:` or `rediss:`, with user, password and database. */
  readonly url: string
  /** Of this process, for the server's operators. */
  readonly name: string
  readonly logger: Logger
  readonly clock: Clock
  readonly metrics: Metrics
  /** 100 where absent: slower, asking is of no use. */
  readonly timeoutMs?: number
  /** How long `start` waits for the server; 2 s where absent. */
  readonly connectWithinMs?: number
}

/** `away`: not connected, or lately silent. `crowded`: too many requests are under way. `refused`: the server's own word. */
export type RedisFailure = 'away' | 'timeout' | 'crowded' | 'refused'

export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
  readonly kind: RedisFailure

  constructor(kind: RedisFailure, options?: ErrorOptions) {
    super(`Redis: ${kind}`, options)
    this.kind = kind
  }
}

const defaultTimeoutMs = 100
const defaultConnectWithinMs = 2_000
/** A connection on which nothing came for this long, though something was asked, is given up. */
const silenceMs = 2_000
const longestRetryMs = 1_000
const breaker = { failures: 3, openMs: 500, maxOpenMs: 5_000 } as const
/** Of requests that are under way, those given up included. */
const mostInFlight = 1_000
const mostBytesInFlight = 16 * 1024 * 1024
const refusalLoggedEveryMs = 60_000

export class RedisConnection implements Service {
  readonly name = 'redis'
  readonly #options: RedisConnectionOptions
  readonly #client: Redis
  readonly #breaker: CircuitBreaker
  readonly #countFailure: (kind: RedisFailure) => void
  #usable = false
  #away = false
  #inFlight = 0
  #bytesInFlight = 0
  #refusalLoggedAt = Number.NEGATIVE_INFINITY
  /** Of the last failure of the connection, such as a refused certificate. */
  #reason: string | null = null
  #onFirst: ((fault: Error | null) => void) | null = null
  /** What is asked in this turn of the event loop waits for its end. */
  #gathers = false

  constructor(options: RedisConnectionOptions) {
    this.#options = options
    const { clock, metrics, url, name } = options
    this.#breaker = new CircuitBreaker(breaker, () => clock.monotonic())
    const failures = metrics.counter({ name: 'chatterbot_redis_failures_total', help: 'Requests to Redis that were given up or refused', labels: ['kind'] })
    this.#countFailure = (kind) => failures.inc({ kind })
    metrics.gauge({ name: 'chatterbot_redis_available', help: '1: connected, and answering in time' }, (gauge) => gauge.set(this.available ? 1 : 0))
    this.#client = new Redis(url, {
      lazyConnect: true,
      connectionName: name,
      connectTimeout: silenceMs,
      socketTimeout: silenceMs,
      // What cannot go at once does not go at all.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) => Math.min(longestRetryMs, 50 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2),
    })
    this.#client.on('error', (error: Error) => this.#failed(error))
    this.#client.on('ready', () => void this.#inspect())
    this.#client.on('close', () => this.#lost())
  }

  /** Whether the next request would go. */
  get available(): boolean {
    return this.#usable && this.#breaker.allows
  }

  /**
   * Rejects with StartupFault where the server refuses this process or is too old. One that cannot be reached is left
   * for later: what it is for can be done without.
   */
  readonly start = once(async () => {
    const { connectWithinMs = defaultConnectWithinMs } = this.#options
    const outcome = new Promise<Error | null>((resolve) => {
      const timer = setTimeout(resolve, connectWithinMs, null)
      this.#onFirst = (fault) => {
        clearTimeout(timer)
        resolve(fault)
      }
    })
    // What it rejects with is told by the event as well.
    this.#client.connect().catch(() => undefined)
    const fault = await outcome
    this.#onFirst = null
    if (fault === null) {
      if (!this.#usable) this.#wentAway('cannot be reached')
      return
    }
    this.#client.disconnect()
    throw fault
  })

  readonly stop = once(() => {
    this.#usable = false
    this.#away = true
    this.#client.disconnect()
    return Promise.resolve()
  })

  /** For commands made of a script. Without a number of keys, that comes before the arguments. */
  define(name: string, definition: { readonly numberOfKeys?: number; readonly lua: string }): void {
    this.#client.defineCommand(name, definition)
  }

  /**
   * Sends one command, which carries about `bytes`. Rejects with RedisUnavailable, at once or after the timeout; it may
   * have been carried out all the same.
   */
  async request<T>(bytes: number, send: (client: Redis) => Promise<T>): Promise<T> {
    if (!this.available) throw this.#unavailable('away')
    if (this.#inFlight >= mostInFlight || this.#bytesInFlight + bytes > mostBytesInFlight) throw this.#unavailable('crowded')
    const tries = this.#breaker.began()
    this.#gather()
    try {
      const value = await this.#reply(bytes, send)
      this.#answered()
      return value
    } catch (error) {
      if (isReplyError(error)) {
        this.#answered()
        this.#logRefusal(error)
        throw this.#unavailable('refused', error)
      }
      this.#breaker.failed(tries)
      if (!this.#breaker.allows) this.#wentAway('does not answer in time')
      throw this.#unavailable(error === late ? 'timeout' : 'away', error)
    }
  }

  /** Rejects with `late` when its time is up; then it is still under way. */
  #reply<T>(bytes: number, send: (client: Redis) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const reply = send(this.#client)
      // After a pause of this process, timers come first: an answer that lies in the socket is to be read before.
      const timer = setTimeout(() => setImmediate(reject, late), this.#options.timeoutMs ?? defaultTimeoutMs)
      this.#inFlight += 1
      this.#bytesInFlight += bytes
      const ended = (): void => {
        clearTimeout(timer)
        this.#inFlight -= 1
        this.#bytesInFlight -= bytes
      }
      reply.then(
        (value) => {
          ended()
          resolve(value)
        },
        (error: unknown) => {
          ended()
          reject(error instanceof Error ? error : new Error(String(error)))
        },
      )
    })
  }

  /** One write for all that is asked in a turn of the event loop, as a write costs the same whatever it holds. The client's own pipelining does that too, with more objects than the commands have. */
  #gather(): void {
    if (this.#gathers) return
    this.#gathers = true
    const { stream } = this.#client
    stream.cork()
    setImmediate(() => {
      this.#gathers = false
      stream.uncork()
    })
  }

  #answered(): void {
    this.#breaker.succeeded()
    if (this.#usable) this.#cameBack()
  }

  #unavailable(kind: RedisFailure, cause?: unknown): RedisUnavailable {
    this.#countFailure(kind)
    return new RedisUnavailable(kind, { cause })
  }

  /** What the server is, on every connection: it may have been replaced by another. */
  async #inspect(): Promise<void> {
    const { logger } = this.#options
    try {
      const server = describeServer(await this.#client.info())
      requireVersion(server)
      this.#usable = true
      this.#breaker.succeeded()
      if (server.mayFill) logger.warn({ maxmemoryPolicy: server.policy }, 'Redis refuses writes once its memory is full: set maxmemory-policy to allkeys-lru')
      if (this.#onFirst !== null) logger.info({ version: server.version }, 'connected to Redis')
      this.#cameBack()
      this.#onFirst?.(null)
    } catch (error) {
      // A connection that broke meanwhile is renewed, and its server inspected then.
      if (error instanceof StartupFault || isReplyError(error)) this.#failed(error)
    }
  }

  #failed(error: Error): void {
    const { logger } = this.#options
    this.#reason = (error as NodeJS.ErrnoException).code ?? error.message
    const fault = error instanceof StartupFault ? error : isReplyError(error) ? refusalFault(error) : null
    if (this.#onFirst !== null) {
      this.#onFirst(fault)
    } else if (fault !== null && !this.#away) {
      this.#away = true
      logger.error({ err: fault }, 'Redis is not used')
    }
  }

  #lost(): void {
    if (!this.#usable) return
    this.#usable = false
    this.#wentAway('was lost')
  }

  /** Told once, until it is back. */
  #wentAway(how: string): void {
    if (this.#away) return
    this.#away = true
    this.#options.logger.warn({ reason: this.#reason }, `Redis ${how}: going on without it`)
  }

  #cameBack(): void {
    if (!this.#away) return
    this.#reason = null
    this.#away = false
    this.#options.logger.info('Redis is back')
  }

  #logRefusal(error: Error): void {
    const now = this.#options.clock.monotonic()
    if (now - this.#refusalLoggedAt < refusalLoggedEveryMs) return
    this.#refusalLoggedAt = now
    this.#options.logger.warn({ reason: error.message }, 'Redis refused a request')
  }
}

const late = new Error('no answer in time')

function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}
