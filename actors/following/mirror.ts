/** A conversation that another edge owns, as clients of this one see it: a feed of its own, fed by the owner. */
import type { FollowedItem } from '../../protocol/bus/following.ts'
import type { ReplyOf } from '../../protocol/websocket/messages.ts'
import type { FeedClient, Subscription } from '../conversation-service.ts'
import { subscribeAfter } from '../feed/after-snapshot.ts'
import { Feed, type FeedOwner, type FeedSchedule } from '../feed/feed.ts'

export interface Opened {
  readonly opened: ReplyOf<'conversation.open'>
  readonly subscription: Subscription
}

interface Opening {
  readonly client: FeedClient
  readonly onMoved: () => void
  readonly resolve: (opened: Opened) => void
  readonly reject: (error: Error) => void
}

export class Mirror implements FeedOwner {
  readonly conversationId: number
  readonly id: number
  /** The owner's. */
  readonly node: string
  readonly createdAt: number
  readonly #feed: Feed
  readonly #openings = new Map<number, Opening>()
  readonly #onUnused: (mirror: Mirror) => void
  #sequence = 0
  #ended = false

  constructor(options: { readonly conversationId: number; readonly id: number; readonly node: string; readonly createdAt: number; readonly feeds: FeedSchedule; readonly onUnused: (mirror: Mirror) => void }) {
    this.conversationId = options.conversationId
    this.id = options.id
    this.node = options.node
    this.createdAt = options.createdAt
    this.#onUnused = options.onUnused
    this.#feed = new Feed(options.conversationId, options.feeds, this)
  }

  /** Of the newest item taken. */
  get sequence(): number {
    return this.#sequence
  }

  /** Resolves when the owner's `opened` for this number comes; rejects with `lost` where the mirror ends before. */
  expect(opening: number, client: FeedClient, onMoved: () => void): Promise<Opened> {
    return new Promise((resolve, reject) => this.#openings.set(opening, { client, onMoved, resolve, reject }))
  }

  /** Nobody waits for it any more. */
  giveUp(opening: number): void {
    this.#openings.delete(opening)
    this.#endIfUnused()
  }

  /** False for an item that does not follow the one before: something was lost. */
  take(item: FollowedItem): boolean {
    const [, , sequence, kind, content] = item
    if (sequence !== this.#sequence + 1) return false
    this.#sequence = sequence
    switch (kind) {
      case 'start':
        if (sequence !== 1) return false
        if (content !== null) this.#feed.show(content.turn_id, content.attempt, content.text)
        return true
      case 'text':
        this.#feed.show(content.turn_id, content.attempt, content.text)
        return true
      case 'event':
        this.#feed.emit(content)
        // The mirror ends with the next item, and its clients hear no more.
        if (content.type === 'conversation.deleted') this.#feed.flush()
        return true
      case 'opened':
        this.#opened(content.opening, content.opened)
        return true
      case 'moved':
        return false
    }
  }

  /** Its clients are told to open the conversation again. */
  end(error: Error): void {
    if (this.#ended) return
    this.#ended = true
    for (const { reject } of this.#openings.values()) reject(error)
    this.#openings.clear()
    this.#feed.moved()
  }

  #opened(number: number, opened: ReplyOf<'conversation.open'>): void {
    const opening = this.#openings.get(number)
    if (opening === undefined) return
    this.#openings.delete(number)
    opening.resolve({ opened, subscription: subscribeAfter(opened, this.#feed, opening.client, opening.onMoved) })
  }

  left(): void {
    this.#endIfUnused()
  }

  #endIfUnused(): void {
    if (!this.#ended && !this.#feed.hasAudience && this.#openings.size === 0) this.#onUnused(this)
  }
}
