/**
 * Group commit on one shard: writes of all actors of the process go together, one group at a time, and those that come
 * meanwhile make the next group. A write leaves this queue when its outcome is known, or when its writer gives up.
 * Those of a small group are mostly made by one statement; a large one, and what is left of a small one, goes through a
 * transaction. A write that is held begins no group of its own before its time, and goes with the next one.
 *
 * - A row that Postgres refuses rolls its whole group back; the group is halved until the row is found, by the transaction.
 * - Any other failure leaves the outcome unknown (the connection may have died after COMMIT was sent). All writes stay
 *   and are run again, before later ones; a write that had been committed is found made.
 */
import { ChatError } from '../../protocol/errors.ts'
import { bucketOfId, bucketOfTurn } from '../../protocol/ids.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { ConversationWrite, WriteOptions, WriteResult } from '../conversation-store.ts'
import type { WriteHold } from '../write-hold.ts'
import { Backoff } from './backoff.ts'
import { isMissingPartition, isRowFault } from './faults.ts'
import { GroupFault } from './group-fault.ts'
import { commitGroup } from './group-transaction.ts'
import type { Shard } from './shard.ts'
import { mostUsualWrites, writeUsual } from './usual-writes.ts'

/** Of one group. */
const maxRows = 512
const maxBytes = 1024 * 1024
/** For so long a write waits for others to go with, where its writer lets it. */
const holdMs = 20
/** Beside its text, roughly what a write takes in memory and on the wire. */
const bytesPerRow = 256

/** Bytes of writes that wait, of all shards of the process. */
export class WriteBudget {
  readonly limit: number
  used = 0
  constructor(limit: number) {
    this.limit = limit
  }
}

interface WaitingWrite {
  readonly write: ConversationWrite
  readonly rows: number
  readonly bytes: number
  readonly resolve: (result: WriteResult) => void
  readonly reject: (error: unknown) => void
  readonly timer: NodeJS.Timeout | undefined
  /** Runs while it is held: it is due at its end. */
  holding: NodeJS.Timeout | undefined
  /** It has gone once: what became of it may be unknown. */
  isTaken: boolean
}

export interface GroupCommitOptions {
  readonly shard: Shard
  readonly budget: WriteBudget
  readonly logger: Logger
  /** Makes the partitions that writes need. */
  readonly makePartitions: () => Promise<void>
}

export class GroupCommit {
  readonly #options: GroupCommitOptions
  /** In the order of arrival. Members of the group in flight are in it until they are settled. */
  readonly #waiting = new Set<WaitingWrite>()
  /** Of those, how many are held. */
  #held = 0
  readonly #backoff = new Backoff()
  #running: Promise<void> | null = null
  #stopped = false

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  /** Writes that are not settled. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Rejects with ChatError `unavailable`: after `giveUpAfterMs`, at once where too much waits already, and after stop. */
  async write(write: ConversationWrite, { giveUpAfterMs, hold }: WriteOptions = {}): Promise<WriteResult> {
    const { budget } = this.#options
    checkTurns(write)
    const { rows, bytes } = size(write)
    const refusable = giveUpAfterMs !== undefined || write.accept !== undefined
    if (this.#stopped || (refusable && budget.used + bytes > budget.limit)) throw new ChatError('unavailable')
    // Postgres would take U+FFFD for a lone surrogate without a word.
    if (!isWellFormed(write)) return { status: 'refused', sqlState: '22021' }
    return new Promise((resolve, reject) => {
      const timer = giveUpAfterMs === undefined ? undefined : setTimeout(() => this.#giveUp(waiting), giveUpAfterMs)
      const waiting: WaitingWrite = { write, rows, bytes, resolve, reject, timer, holding: undefined, isTaken: false }
      this.#waiting.add(waiting)
      budget.used += bytes
      if (hold === undefined) this.#running ??= this.#run()
      else this.#hold(waiting, hold)
    })
  }

  /** Commits what waits, if Postgres takes it at the first try; rejects the rest. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#backoff.stop()
    for (const waiting of this.#waiting) this.#release(waiting)
    await this.#running
  }

  #hold(waiting: WaitingWrite, hold: WriteHold): void {
    this.#held += 1
    waiting.holding = setTimeout(() => this.#release(waiting), holdMs)
    hold.by({
      release: () => this.#release(waiting),
      withdraw: () => {
        const isHere = this.#waiting.has(waiting) && !waiting.isTaken
        if (isHere) this.#settle(waiting, () => waiting.resolve({ status: 'withdrawn' }))
        return isHere
      },
    })
  }

  #release(waiting: WaitingWrite): void {
    if (this.#letGo(waiting)) this.#running ??= this.#run()
  }

  /** Whether it was held until now. */
  #letGo(waiting: WaitingWrite): boolean {
    if (waiting.holding === undefined) return false
    clearTimeout(waiting.holding)
    waiting.holding = undefined
    this.#held -= 1
    return true
  }

  async #run(): Promise<void> {
    // What is written in the same turn of the event loop shares the first group.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.size > this.#held) {
      try {
        await this.#commit(this.#nextGroup())
        this.#backoff.reset()
      } catch (error) {
        await this.#failed(error)
      }
    }
    this.#running = null
  }

  /** From the oldest on, up to the limits; ends before a second write of one conversation. */
  #nextGroup(): WaitingWrite[] {
    const group: WaitingWrite[] = []
    const conversations = new Set<number>()
    let rows = 0
    let bytes = 0
    for (const waiting of this.#waiting) {
      rows += waiting.rows
      bytes += waiting.bytes
      const full = rows > maxRows || bytes > maxBytes
      if ((full && group.length > 0) || conversations.has(waiting.write.conversationId)) break
      conversations.add(waiting.write.conversationId)
      this.#letGo(waiting)
      waiting.isTaken = true
      group.push(waiting)
    }
    return group
  }

  async #commit(group: readonly WaitingWrite[]): Promise<void> {
    const left = await this.#commitUsual(group)
    if (left.length > 0) await this.#commitPlanned(left)
  }

  /** Gives those that were not made. */
  async #commitUsual(group: readonly WaitingWrite[]): Promise<readonly WaitingWrite[]> {
    if (group.length > mostUsualWrites) return group
    try {
      const results = await writeUsual(this.#options.shard, group.map(({ write }) => write))
      return group.filter((waiting, index) => {
        const result = results[index] ?? null
        if (result !== null) this.#settle(waiting, () => waiting.resolve(result))
        return result === null
      })
    } catch (error) {
      if (!isRowFault(error) && !(error instanceof GroupFault)) throw error
      return group
    }
  }

  async #commitPlanned(group: readonly WaitingWrite[]): Promise<void> {
    try {
      const results = await commitGroup(this.#options.shard, group.map(({ write }) => write))
      for (const [index, waiting] of group.entries()) this.#settle(waiting, () => waiting.resolve(results[index] as WriteResult))
    } catch (error) {
      if (!isRowFault(error) && !(error instanceof GroupFault)) throw error
      const [first] = group
      if (group.length > 1) {
        const middle = group.length >> 1
        await this.#commitPlanned(group.slice(0, middle))
        await this.#commitPlanned(group.slice(middle))
      } else if (first !== undefined) {
        this.#settle(first, () => (isRowFault(error) ? first.resolve({ status: 'refused', sqlState: error.code }) : first.reject(error)))
      }
    }
  }

  async #failed(error: unknown): Promise<void> {
    const { logger, makePartitions, shard } = this.#options
    logger.warn({ err: error, shard: shard.name, waiting: this.#waiting.size }, 'a group of writes failed and is run again')
    if (this.#stopped) {
      for (const waiting of this.#waiting) this.#settle(waiting, () => waiting.reject(new ChatError('unavailable', undefined, { cause: error })))
      return
    }
    if (isMissingPartition(error)) await makePartitions().catch((cause: unknown) => logger.error({ err: cause, shard: shard.name }, 'message partitions could not be made'))
    await this.#backoff.wait()
  }

  /** A group in flight goes on: whether it commits this write is not known to its writer. */
  #giveUp(waiting: WaitingWrite): void {
    this.#settle(waiting, () => waiting.reject(new ChatError('unavailable')))
  }

  #settle(waiting: WaitingWrite, tell: () => void): void {
    if (!this.#waiting.delete(waiting)) return
    this.#letGo(waiting)
    this.#options.budget.used -= waiting.bytes
    clearTimeout(waiting.timer)
    tell()
  }
}

export function isWellFormed(write: ConversationWrite): boolean {
  return texts(write).every((text) => text.isWellFormed())
}

/** What a write takes of the budget while it waits. */
export function bytesOf(write: ConversationWrite): number {
  return size(write).bytes
}

function texts({ make, title, rename, accept, ends = [] }: ConversationWrite): string[] {
  return [make?.userId ?? '', make?.title ?? '', make?.model ?? '', make?.system ?? '', title ?? '', rename ?? '', accept?.user.type === 'new' ? accept.user.content : '', ...ends.map(({ content }) => content)]
}

function size(write: ConversationWrite): { readonly rows: number; readonly bytes: number } {
  const { make, ends = [], accept, begin, promote } = write
  const rows = (make ? 2 : 1) + ends.length * 2 + (accept ? 2 : 0) + (begin ? 1 : 0) + (promote === undefined ? 0 : 1)
  return { rows, bytes: texts(write).reduce((sum, text) => sum + Buffer.byteLength(text), rows * bytesPerRow) }
}

/** A turn is found by its id alone, which therefore has to name the bucket of its conversation. */
function checkTurns({ conversationId, accept }: ConversationWrite): void {
  if (accept !== undefined && bucketOfTurn(accept.turnId) !== bucketOfId(conversationId)) throw new RangeError(`turn ${accept.turnId} is not of the bucket of conversation ${conversationId}`)
}
