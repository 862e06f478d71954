/**
 * Writes that make a conversation with its first turn, on one shard: in one round trip and a commit of their own, beside the
 * group that is under way. What cannot be made so goes the way of all writes, which tells why, and finds what was made by a
 * commit whose answer got lost.
 */
import { ChatError } from '../../protocol/errors.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { AcceptTurn, ConversationWrite, MakeConversation, WriteOptions, WriteResult } from '../conversation-store.ts'
import { Batcher } from './batcher.ts'
import { isRowFault } from './faults.ts'
import { bytesOf, isWellFormed, type GroupCommit, type WriteBudget } from './group-commit.ts'
import { pipeline, type Shard } from './shard.ts'
import { firstWrites, type FirstWritten } from './statements/first-writes.ts'

type FirstWrite = ConversationWrite & {
  readonly make: MakeConversation
  readonly accept: AcceptTurn & { readonly user: Extract<AcceptTurn['user'], { type: 'new' }> }
}

export interface FirstWritesOptions {
  readonly shard: Shard
  readonly commit: GroupCommit
  readonly budget: WriteBudget
  readonly logger: Logger
}

export class FirstWrites {
  readonly #options: FirstWritesOptions
  readonly #batcher = new Batcher<FirstWrite, WriteResult | null>((writes) => this.#make(writes))

  constructor(options: FirstWritesOptions) {
    this.#options = options
  }

  /** As GroupCommit's, for any write. */
  async write(write: ConversationWrite, options: WriteOptions = {}): Promise<WriteResult> {
    const { commit } = this.#options
    const { giveUpAfterMs } = options
    if (!isFirst(write)) return commit.write(write, options)
    const beganAt = performance.now()
    const made = await this.#try(write, giveUpAfterMs)
    return made ?? commit.write(write, giveUpAfterMs === undefined ? {} : { giveUpAfterMs: Math.max(1, giveUpAfterMs - (performance.now() - beganAt)) })
  }

  /** Makes what waits still. Idempotent. */
  stop(): Promise<void> {
    return this.#batcher.stop()
  }

  /** Null where it was not made, or that is not known. */
  async #try(write: FirstWrite, giveUpAfterMs?: number): Promise<WriteResult | null> {
    const { budget, logger } = this.#options
    const bytes = bytesOf(write)
    if (budget.used + bytes > budget.limit || !isWellFormed(write)) return null
    budget.used += bytes
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_, reject) => {
      if (giveUpAfterMs !== undefined) timer = setTimeout(() => reject(new ChatError('unavailable')), giveUpAfterMs)
    })
    const making = this.#batcher
      .call(write)
      .catch((error: unknown) => {
        if (!isRowFault(error)) logger.debug({ err: error }, 'conversations are made in groups')
        return null
      })
      .finally(() => {
        budget.used -= bytes
      })
    try {
      return await Promise.race([making, tooLate])
    } finally {
      clearTimeout(timer)
    }
  }

  async #make(writes: readonly FirstWrite[]): Promise<(WriteResult | null)[]> {
    const columns = [
      writes.map(({ conversationId }) => conversationId),
      writes.map(({ token }) => token.epoch),
      writes.map(({ token }) => token.node),
      writes.map(({ token }) => token.bootId),
      writes.map(({ make }) => make.userId),
      writes.map(({ make, title }) => make.title ?? title ?? null),
      writes.map(({ make }) => make.model),
      writes.map(({ make }) => make.system),
      writes.map(({ make }) => make.expiresAfterMs ?? null),
      writes.map(({ accept }) => accept.turnId),
      writes.map(({ accept }) => accept.clientMessageId),
      writes.map(({ accept }) => Buffer.from(accept.commandHash)),
      writes.map(({ accept }) => accept.user.content),
      writes.map(({ accept }) => accept.lane),
      writes.map(({ accept }) => accept.model),
      writes.map(({ accept }) => JSON.stringify(accept.params)),
      writes.map(({ accept }) => accept.acceptedAt),
      writes.map(({ accept }) => accept.deadlineAt),
    ]
    const [result] = await this.#options.shard.withClient((client) => pipeline(client, [{ statement: firstWrites, values: columns }]))
    const made = new Map(((result?.rows ?? []) as FirstWritten[]).map((row) => [row.id, row]))
    return writes.map(({ conversationId }) => {
      const row = made.get(conversationId)
      return row === undefined ? null : { status: 'committed', accepted: { userMessageId: row.user_message_id, replyMessageId: row.reply_message_id } }
    })
  }
}

function isFirst(write: ConversationWrite): write is FirstWrite {
  const { make, accept, ends, begin, promote, rename, remove } = write
  const isAlone = ends === undefined && begin === undefined && promote === undefined && rename === undefined && remove === undefined
  return isAlone && make !== undefined && accept?.user.type === 'new' && accept.user.parentId === null && accept.state === 'queued'
}
