/**
 * The follower's side: conversations that other edges own and clients of this one have open. A mirror that has missed
 * something, or whose owner is silent, ends: its clients open the conversation again from their cursors.
 */
import { decodeFollowedBatch, decodeFollowReply, encodeBus } from '../../protocol/bus/codec.ts'
import type { FollowedBatch, FollowReply } from '../../protocol/bus/following.ts'
import { busVersion, followedSubject, followersSubject, followSubject } from '../../protocol/bus/subjects.ts'
import type { CommandOf } from '../../protocol/websocket/messages.ts'
import { BusError, type Channel, type ChannelMessage, type Subscription } from '../../platform/bus/channel.ts'
import type { Refusals } from '../../platform/bus/refusals.ts'
import type { FeedClient } from '../conversation-service.ts'
import type { FeedSchedule } from '../feed/feed.ts'
import { askOwner } from '../placement/ask-owner.ts'
import { OwnerAway, type OwnerAwayHow } from '../placement/owner-away.ts'
import { errorOfReply } from '../placement/replies.ts'
import { Mirror, type Opened } from './mirror.ts'

const tickMs = 1_000
const silenceMs = 3_000
/** From the owner's word that it follows to the snapshot, which it has sent before. */
const openedWithinMs = 2_000
/** An owner that lives answers within milliseconds: one that does not is asked no longer than it takes to count as silent. */
const answerWithinMs = 2_500
/** Before a digest must name it. */
const settlingMs = 2_000

interface FollowedNode {
  readonly mirrors: Map<number, Mirror>
  heardAt: number
}

export interface MirrorsOptions {
  readonly channel: Channel
  readonly node: string
  readonly refusals: Refusals
  readonly feeds: FeedSchedule
  readonly monotonic: () => number
}

export class Mirrors {
  readonly #options: MirrorsOptions
  readonly #byConversation = new Map<number, Mirror>()
  readonly #nodes = new Map<string, FollowedNode>()
  #subscription: Subscription | null = null
  #timer: NodeJS.Timeout | null = null
  #tickedAt = 0
  /** Unlike those of an earlier process of this name: an owner may send to its mirrors still. */
  #lastId = Math.floor(Math.random() * 2 ** 40) * 2 ** 12
  #lastOpening = 0

  constructor(options: MirrorsOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#timer !== null) return
    const { channel, node, monotonic } = this.#options
    this.#tickedAt = monotonic()
    this.#timer = setInterval(() => this.#tick(), tickMs)
    this.#subscription = channel.subscribe(followedSubject(node), (message) => this.#receive(message))
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#subscription?.unsubscribe()
    this.endAll()
  }

  get count(): number {
    return this.#byConversation.size
  }

  /** Whose the conversation was when it was opened here last. */
  ownerOf(conversationId: number): string | undefined {
    return this.#byConversation.get(conversationId)?.node
  }

  /** The conversation is this process's own now. */
  endOf(conversationId: number): void {
    const mirror = this.#byConversation.get(conversationId)
    if (mirror !== undefined) this.#end(mirror, 'moved')
  }

  /** This process may have slept: what it missed is not known. */
  endAll(): void {
    for (const mirror of [...this.#byConversation.values()]) this.#end(mirror, 'moved')
  }

  /** Rejects with ChatError by the owner's word, and with OwnerAway. */
  async open(node: string, userId: string, command: CommandOf<'conversation.open'>, client: FeedClient, onMoved: () => void): Promise<Opened> {
    const { channel } = this.#options
    const mirror = this.#mirror(command.conversation_id, node)
    const opening = (this.#lastOpening += 1)
    const opened = mirror.expect(opening, client, onMoved)
    // Looked at below.
    opened.catch(() => undefined)
    try {
      const request = { v: busVersion, user_id: userId, command, edge: this.#options.node, mirror: mirror.id, opening }
      const reply: FollowReply = await askOwner(channel, followSubject(node), request, decodeFollowReply, answerWithinMs)
      if (reply.type !== 'following') throw errorOfReply(reply)
      return await withinTime(opened, openedWithinMs)
    } catch (error) {
      mirror.giveUp(opening)
      // The snapshot may have come all the same, and only the word about it be lost.
      opened.then(({ subscription }) => subscription.close(), () => undefined)
      throw error
    }
  }

  #mirror(conversationId: number, node: string): Mirror {
    const known = this.#byConversation.get(conversationId)
    if (known?.node === node) return known
    if (known !== undefined) this.#end(known, 'moved')
    const now = this.#options.monotonic()
    const mirror = new Mirror({ conversationId, id: (this.#lastId += 1), node, createdAt: now, feeds: this.#options.feeds, onUnused: (unused) => this.#end(unused, 'moved') })
    this.#byConversation.set(conversationId, mirror)
    let followed = this.#nodes.get(node)
    if (followed === undefined) this.#nodes.set(node, (followed = { mirrors: new Map(), heardAt: now }))
    followed.mirrors.set(mirror.id, mirror)
    return mirror
  }

  #end(mirror: Mirror, why: OwnerAwayHow): void {
    if (this.#byConversation.get(mirror.conversationId) === mirror) this.#byConversation.delete(mirror.conversationId)
    const followed = this.#nodes.get(mirror.node)
    followed?.mirrors.delete(mirror.id)
    if (followed?.mirrors.size === 0) this.#nodes.delete(mirror.node)
    this.#tell(mirror.node, [[mirror.conversationId, mirror.id]])
    mirror.end(new OwnerAway(why))
  }

  #receive(message: ChannelMessage): void {
    let batch: FollowedBatch
    try {
      batch = decodeFollowedBatch(message.payload)
    } catch (error) {
      this.#options.refusals.failed(message.subject, error)
      return
    }
    const followed = this.#nodes.get(batch.edge)
    if (followed !== undefined) followed.heardAt = this.#options.monotonic()
    for (const item of batch.items) {
      const mirror = followed?.mirrors.get(item[1])
      if (mirror?.conversationId !== item[0]) continue
      if (!mirror.take(item)) this.#end(mirror, 'moved')
    }
    if (batch.digest !== undefined) this.#compare(batch.edge, followed, batch.digest)
  }

  #compare(node: string, followed: FollowedNode | undefined, digest: NonNullable<FollowedBatch['digest']>): void {
    const now = this.#options.monotonic()
    const named = new Set<number>()
    const left: [number, number][] = []
    for (const [conversationId, id, sequence] of digest) {
      named.add(id)
      const mirror = followed?.mirrors.get(id)
      if (mirror === undefined) left.push([conversationId, id])
      else if (mirror.sequence !== sequence) this.#end(mirror, 'moved')
    }
    for (const mirror of [...(followed?.mirrors.values() ?? [])]) {
      if (!named.has(mirror.id) && now - mirror.createdAt > settlingMs) this.#end(mirror, 'moved')
    }
    if (left.length > 0) this.#tell(node, left)
  }

  #tick(): void {
    const now = this.#options.monotonic()
    const late = now - this.#tickedAt > 2 * tickMs
    this.#tickedAt = now
    for (const [node, followed] of [...this.#nodes]) {
      // Its messages may wait for this very process, which ran late.
      if (late) followed.heardAt = now
      if (now - followed.heardAt <= silenceMs) this.#tell(node, [])
      else for (const mirror of [...followed.mirrors.values()]) this.#end(mirror, 'silent')
    }
  }

  #tell(node: string, left: [number, number][]): void {
    try {
      this.#options.channel.publish(followersSubject(node), encodeBus({ v: busVersion, edge: this.#options.node, left }))
    } catch (error) {
      if (!(error instanceof BusError)) throw error
    }
  }
}

async function withinTime<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new OwnerAway('silent')), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
