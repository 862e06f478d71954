/** Claims and releases on one shard, in batches: as group commits, they lock conversations in the order of their ids. */
import { ChatError } from '../../protocol/errors.ts'
import { makeId } from '../../protocol/ids.ts'
import type { ClaimResult, DrawnConversation, OwnerToken, TurnRow } from '../conversation-store.ts'
import { Batcher } from './batcher.ts'
import type { ShardLiveness } from './liveness.ts'
import { conversationFrom, turnFrom, type StoredTurn } from './rows.ts'
import { asChatError } from './faults.ts'
import { NumberStock } from './number-stock.ts'
import { pipeline, type Shard } from './shard.ts'
import { claimConversations } from './statements/claim-conversations.ts'
import { loadClaimed, type LoadedConversation } from './statements/load-claimed.ts'
import { lockConversations } from './statements/lock-conversations.ts'
import { drawConversationNumbers } from './statements/make-conversations.ts'
import { releaseConversations } from './statements/release-conversations.ts'
import { unfinishedTurns } from './statements/unfinished-turns.ts'

interface Claim {
  readonly conversationId: number
  readonly force: boolean
}

interface Release {
  readonly conversationId: number
  readonly token: OwnerToken
}

export interface OwnershipOptions {
  readonly shard: Shard
  readonly node: string
  readonly bootId: string
  readonly liveness: ShardLiveness
}

export class Ownership {
  readonly #options: OwnershipOptions
  readonly #claims = new Batcher((claims: readonly Claim[]) => this.#claim(claims))
  readonly #releases = new Batcher((releases: readonly Release[]) => this.#release(releases))

  readonly #numbers: NumberStock

  constructor(options: OwnershipOptions) {
    this.#options = options
    this.#numbers = new NumberStock(async (count) => (await options.shard.read<{ number: number }>(drawConversationNumbers, [count])).map(({ number }) => number))
  }

  /** As whoever makes it owns it, it is claimed by being made. Rejects with ChatError `unavailable`. */
  async draw(bucket: number): Promise<DrawnConversation> {
    const { node, bootId, liveness } = this.#options
    try {
      await liveness.ensure()
      return { conversationId: makeId(await this.#numbers.take(), bucket), token: { epoch: 1, node, bootId } }
    } catch (error) {
      throw asChatError(error)
    }
  }

  async claim(conversationId: number, force: boolean): Promise<ClaimResult> {
    const result = await this.#claims.call({ conversationId, force })
    if (result instanceof ChatError) throw result
    return result
  }

  release(conversationId: number, token: OwnerToken): Promise<void> {
    return this.#releases.call({ conversationId, token })
  }

  async stop(): Promise<void> {
    await Promise.all([this.#claims.stop(), this.#releases.stop()])
  }

  async #claim(claims: readonly Claim[]): Promise<(ClaimResult | ChatError)[]> {
    const { shard, node, bootId, liveness } = this.#options
    // What a node claims that shows no sign of life would be anybody's at once.
    await liveness.ensure()
    const ids = claims.map(({ conversationId }) => conversationId)
    const [, , claimed, loaded, turns] = await shard.withClient((client) =>
      pipeline(client, [
        { statement: 'BEGIN' },
        { statement: lockConversations, values: [ids] },
        { statement: claimConversations, values: [ids, claims.map(({ force }) => force), node, bootId] },
        // Later statements: they see what the owner before had committed until the lock was taken.
        { statement: loadClaimed, values: [ids] },
        { statement: unfinishedTurns, values: [ids] },
        { statement: 'COMMIT' },
      ]),
    )
    const mine = new Set(((claimed?.rows ?? []) as { readonly id: number }[]).map(({ id }) => id))
    const conversations = new Map(((loaded?.rows ?? []) as LoadedConversation[]).map((row) => [row.asked, row]))
    const unfinished = new Map<number, TurnRow[]>(ids.map((id) => [id, []]))
    for (const turn of ((turns?.rows ?? []) as StoredTurn[]).map(turnFrom)) unfinished.get(turn.conversationId)?.push(turn)
    return ids.map((id) => outcome(conversations.get(id), mine.has(id) ? { node, bootId } : null, unfinished.get(id) ?? []))
  }

  async #release(releases: readonly Release[]): Promise<void[]> {
    const ids = releases.map(({ conversationId }) => conversationId)
    const tokens = releases.map(({ token }) => token)
    await this.#options.shard.withClient((client) =>
      pipeline(client, [
        { statement: 'BEGIN' },
        { statement: lockConversations, values: [ids] },
        { statement: releaseConversations, values: [ids, tokens.map(({ epoch }) => epoch), tokens.map(({ node }) => node), tokens.map(({ bootId }) => bootId)] },
        { statement: 'COMMIT' },
      ]),
    )
    return releases.map(() => undefined)
  }
}

/** `me`: where the conversation is this process's now. */
function outcome(row: LoadedConversation | undefined, me: Pick<OwnerToken, 'node' | 'bootId'> | null, unfinished: readonly TurnRow[]): ClaimResult | ChatError {
  // Asked the wrong shard: whether there is such a conversation is not known here.
  if (row === undefined || !row.in_owned_bucket) return new ChatError('unavailable')
  if (row.id === null) return { status: 'not_found' }
  // Every claim names both, and so does this one.
  if (me === null) return { status: 'owned', node: row.owner_node as string, bootId: row.owner_boot as string }
  // Not the strings of the row, of which each conversation would keep its own.
  return { status: 'claimed', token: { epoch: row.owner_epoch, ...me }, conversation: conversationFrom(row), unfinished }
}
