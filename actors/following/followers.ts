/**
 * The owner's side: other edges whose clients have a conversation of this process open. Each is sent all that happens to
 * it, and every second a digest of what it has been sent. One that has not been heard of for 10 s is forgotten.
 */
import { decodeFollowerNotice, decodeFollowRequest, encodeBus } from '../../protocol/bus/codec.ts'
import type { FollowReply, FollowRequest } from '../../protocol/bus/following.ts'
import { busVersion, followersSubject, followSubject } from '../../protocol/bus/subjects.ts'
import { ChatError } from '../../protocol/errors.ts'
import type { ReplyOf } from '../../protocol/websocket/messages.ts'
import type { Channel, ChannelMessage, Subscription } from '../../platform/bus/channel.ts'
import type { Refusals } from '../../platform/bus/refusals.ts'
import type { ConversationActor } from '../runtime/actor.ts'
import { moved, refused } from '../placement/replies.ts'
import { Follower } from './follower.ts'
import { Outbox } from './outbox.ts'

const tickMs = 1_000
const forgottenAfterMs = 10_000
/** Conversations that one edge may follow here: their digest fits into one message. */
const mostFollowed = 20_000

interface FollowingEdge {
  readonly outbox: Outbox
  readonly followers: Map<number, Follower>
  /** Of those that have unsent items: what happens next must not join them once they left. */
  readonly unsent: Set<Follower>
  heardAt: number
}

export interface FollowersOptions {
  readonly channel: Channel
  readonly node: string
  readonly refusals: Refusals
  readonly monotonic: () => number
  /**
   * The actor here, and what the client is to be told; `take` gets both in the turn of the event loop in which the
   * snapshot holds. Rejects with ChatError, `moved` where the conversation is not here.
   */
  readonly open: (request: FollowRequest, take: (actor: ConversationActor, opened: ReplyOf<'conversation.open'>) => void) => Promise<void>
}

export class Followers {
  readonly #options: FollowersOptions
  readonly #edges = new Map<string, FollowingEdge>()
  #subscriptions: Subscription[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(options: FollowersOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#timer !== null) return
    const { channel, node } = this.#options
    this.#timer = setInterval(() => this.#tick(), tickMs)
    this.#subscriptions = [
      channel.subscribe(followSubject(node), (message) => void this.#answer(message)),
      channel.subscribe(followersSubject(node), (message) => this.#notice(message)),
    ]
  }

  /** Takes no more followers; those there are hear on until their conversations go. */
  stopListening(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
    this.#subscriptions = []
  }

  /** Sends what is left. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    for (const edge of this.#edges.values()) {
      edge.outbox.flush()
      for (const follower of edge.followers.values()) follower.end()
    }
    this.#edges.clear()
  }

  /** Conversations that other edges follow here, for metrics. */
  get count(): number {
    let count = 0
    for (const { followers } of this.#edges.values()) count += followers.size
    return count
  }

  async #answer(message: ChannelMessage): Promise<void> {
    try {
      message.respond(encodeBus(await this.#follow(decodeFollowRequest(message.payload))))
    } catch (error) {
      this.#options.refusals.failed(message.subject, error)
    }
  }

  async #follow(request: FollowRequest): Promise<FollowReply> {
    const { edge: name, mirror, opening } = request
    try {
      await this.#options.open(request, (actor, opened) => this.#follower(name, mirror, actor).opened(opening, opened))
      return { v: busVersion, type: 'following' }
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      return error.code === 'moved' || error.code === 'draining' ? moved : refused(error)
    }
  }

  #follower(name: string, mirror: number, actor: ConversationActor): Follower {
    const edge = this.#edge(name)
    const known = edge.followers.get(actor.conversationId)
    if (known?.mirror === mirror && known.actor === actor) return known
    if (known === undefined && edge.followers.size >= mostFollowed) throw new ChatError('overloaded')
    known?.end()
    const follower: Follower = new Follower(
      actor,
      mirror,
      (item, urgent) => {
        // Not yet assigned for the first item, which nothing joins.
        if (item[3] === 'text') edge.unsent.add(follower)
        edge.outbox.post(item, urgent)
      },
      () => edge.followers.delete(actor.conversationId),
    )
    edge.followers.set(actor.conversationId, follower)
    return follower
  }

  #edge(name: string): FollowingEdge {
    let edge = this.#edges.get(name)
    if (edge === undefined) {
      const unsent = new Set<Follower>()
      const onFlush = (): void => {
        for (const follower of unsent) follower.sent()
        unsent.clear()
      }
      edge = { outbox: new Outbox({ channel: this.#options.channel, from: this.#options.node, to: name, onFlush }), followers: new Map(), unsent, heardAt: 0 }
      this.#edges.set(name, edge)
    }
    edge.heardAt = this.#options.monotonic()
    return edge
  }

  #notice(message: ChannelMessage): void {
    let notice
    try {
      notice = decodeFollowerNotice(message.payload)
    } catch (error) {
      this.#options.refusals.failed(message.subject, error)
      return
    }
    const edge = this.#edges.get(notice.edge)
    if (edge === undefined) return
    edge.heardAt = this.#options.monotonic()
    for (const [conversationId, mirror] of notice.left) {
      const follower = edge.followers.get(conversationId)
      if (follower?.mirror !== mirror) continue
      edge.followers.delete(conversationId)
      follower.end()
    }
  }

  #tick(): void {
    const now = this.#options.monotonic()
    for (const [name, edge] of this.#edges) {
      if (now - edge.heardAt > forgottenAfterMs) {
        for (const follower of edge.followers.values()) follower.end()
        edge.outbox.close()
        this.#edges.delete(name)
        continue
      }
      edge.outbox.flush([...edge.followers.values()].map((follower) => [follower.conversationId, follower.mirror, follower.sequence]))
    }
  }
}
