/** All connections of the process: their counts and limits, the clocks that none of them has for itself, and their end. */
import { encodeServerMessage } from '../../protocol/websocket/codec.ts'
import { limits } from '../../protocol/websocket/limits.ts'
import { subprotocols } from '../../protocol/websocket/subprotocols.ts'
import type { Load } from '../../protocol/websocket/fields.ts'
import type { LimitMetrics } from '../../platform/limits/limit-metrics.ts'
import type { CredentialWatch } from './credential-watch.ts'
import type { Session } from './session.ts'

/** A connection that takes nothing of what is sent for this long is closed with 4430. */
const stallMs = 30_000
const tickMs = 1000
/** Connections told of something in one turn of the event loop: about 5 ms. */
const toldAtOnce = 1000
/** Apart, so that the clients of a process don't all come to its neighbours at the same moment. */
const leaveApartMs = 2
/** From the time at which a client is to reconnect until it is closed: its old connection serves until the new one does. */
const longestGraceMs = 1000

export interface SessionsOptions {
  readonly maxConnections: number
  readonly maxPerAddress: number
  readonly metrics: LimitMetrics
  readonly monotonic: () => number
  readonly credentials: CredentialWatch
}

interface Membership {
  readonly address: string
  userId: string | null
}

export class Sessions {
  readonly #options: SessionsOptions
  readonly #members = new Map<Session, Membership>()
  readonly #perAddress = new Map<string, number>()
  readonly #perUser = new Map<string, number>()
  /** Those that have not said hello, with the time they came, the oldest first. */
  readonly #silent = new Map<Session, number>()
  readonly #blocked = new Set<Session>()
  readonly #empty: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#members.size
  }

  get blockedCount(): number {
    return this.#blocked.size
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), tickMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const session of this.#members.keys()) session.close(1012, 'restart')
  }

  /** Why a connection from this address cannot be taken, or null. */
  refusal(address: string): 'overloaded' | 'too_many_connections' | null {
    if (this.#members.size >= this.#options.maxConnections) return 'overloaded'
    if ((this.#perAddress.get(address) ?? 0) < this.#options.maxPerAddress) return null
    this.#options.metrics.refused('sockets_per_address')
    return 'too_many_connections'
  }

  add(session: Session, address: string): void {
    this.#members.set(session, { address, userId: null })
    count(this.#perAddress, address, 1)
    this.#silent.set(session, this.#options.monotonic())
  }

  /** The session has said who it is. False where that user has too many connections already. */
  join(session: Session, userId: string, most: number): boolean {
    const member = this.#members.get(session)
    if (member === undefined) return false
    if ((this.#perUser.get(userId) ?? 0) >= most) {
      this.#options.metrics.refused('sockets')
      return false
    }
    member.userId = userId
    count(this.#perUser, userId, 1)
    this.#silent.delete(session)
    return true
  }

  remove(session: Session): void {
    const member = this.#members.get(session)
    if (member === undefined) return
    this.#members.delete(session)
    this.#silent.delete(session)
    this.#blocked.delete(session)
    this.#options.credentials.forget(session)
    count(this.#perAddress, member.address, -1)
    if (member.userId !== null) count(this.#perUser, member.userId, -1)
    if (this.#members.size === 0) for (const resolve of this.#empty.splice(0)) resolve()
  }

  blocked(session: Session): void {
    this.#blocked.add(session)
  }

  unblocked(session: Session): void {
    this.#blocked.delete(session)
  }

  async tellLoad(load: Load): Promise<void> {
    const frames = new Map(subprotocols.map((subprotocol) => [subprotocol, encodeServerMessage(subprotocol, { type: 'server.load', ...load })]))
    await inTurns(this.#members.keys(), (session) => session.tellLoad(frames.get(session.connection.subprotocol)))
  }

  /**
   * Tells everyone when to reconnect, spread over at most half of `deadlineMs`, closes each a moment after that time,
   * and resolves when all are gone: at the deadline by force.
   */
  async drain(deadlineMs: number): Promise<void> {
    const began = this.#options.monotonic()
    const spreadMs = Math.min(deadlineMs / 2, this.#members.size * leaveApartMs)
    const leaving = [...this.#members.keys()].map((session, index, all) => ({ session, atMs: Math.round((spreadMs * index) / all.length) }))
    await inTurns(leaving, ({ session, atMs }) => session.tellDraining(atMs))
    const graceMs = Math.min(longestGraceMs, deadlineMs / 4)
    for (const { session, atMs } of leaving) {
      if (this.#members.size === 0) return
      const waitMs = atMs + graceMs - (this.#options.monotonic() - began)
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      session.leave()
    }
    await this.#untilEmpty(deadlineMs - (this.#options.monotonic() - began))
    for (const session of this.#members.keys()) session.close(1012, 'restart')
  }

  #untilEmpty(withinMs: number): Promise<void> {
    if (this.#members.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, withinMs))
      this.#empty.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #tick(): void {
    const now = this.#options.monotonic()
    for (const [session, since] of this.#silent) {
      if (now - since < limits.helloTimeoutMs) break
      session.helloTimedOut()
    }
    for (const session of this.#blocked) {
      if (session.connection.stalledMs() >= stallMs) session.close(4430, 'too_slow')
    }
    this.#options.credentials.tick()
  }
}

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const next = (counts.get(key) ?? 0) + change
  if (next === 0) counts.delete(key)
  else counts.set(key, next)
}

/** Calls `tell` for each, and lets the event loop turn now and then. */
async function inTurns<T>(items: Iterable<T>, tell: (item: T) => void): Promise<void> {
  let told = 0
  for (const item of [...items]) {
    tell(item)
    told += 1
    if (told % toldAtOnce === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}
