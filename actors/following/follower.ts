/** A mirror of one conversation at another edge, as its owner sends to it: numbers what happens, and passes it on. */
import type { FollowedEvent, FollowedItem } from '../../protocol/bus/following.ts'
import type { ReplyOf, ServerEvent } from '../../protocol/websocket/messages.ts'
import type { ConversationActor } from '../runtime/actor.ts'
import type { FeedTap } from '../feed/feed.ts'

/** Takes items for one edge. `urgent`: somebody waits for it. */
export type Post = (item: FollowedItem, urgent: boolean) => void

type TextItem = Extract<FollowedItem, readonly [number, number, number, 'text', unknown]>

const relayed: ReadonlySet<ServerEvent['type']> = new Set<FollowedEvent['type']>(['message.added', 'conversation.updated', 'conversation.deleted', 'turn.queued', 'turn.started', 'turn.finished', 'turn.failed'])

export class Follower implements FeedTap {
  readonly conversationId: number
  readonly mirror: number
  readonly actor: ConversationActor
  readonly #post: Post
  readonly #untap: () => void
  readonly #gone: (follower: Follower) => void
  #sequence = 0
  /** Not sent yet: more text of the same attempt joins it. */
  #open: TextItem | null = null

  /** `gone`: the conversation has left its owner, and nothing follows. */
  constructor(actor: ConversationActor, mirror: number, post: Post, gone: (follower: Follower) => void) {
    this.conversationId = actor.conversationId
    this.mirror = mirror
    this.actor = actor
    this.#post = post
    const { shown } = actor.feed
    this.#send('start', shown === null ? null : { turn_id: shown.turnId, attempt: shown.attempt, text: shown.text }, true)
    this.#gone = gone
    this.#untap = actor.feed.tap(this)
  }

  /** Of the newest item. */
  get sequence(): number {
    return this.#sequence
  }

  opened(opening: number, opened: ReplyOf<'conversation.open'>): void {
    this.#send('opened', { opening, opened }, true)
  }

  show(turnId: string, attempt: number, text: string): void {
    const open = this.#open
    if (open !== null && open[4].turn_id === turnId && open[4].attempt === attempt) {
      open[4].text += text
      return
    }
    const item: TextItem = [this.conversationId, this.mirror, (this.#sequence += 1), 'text', { turn_id: turnId, attempt, text }]
    this.#open = item
    this.#post(item, (this.actor.feed.shown?.text ?? '') === '')
  }

  emit(event: ServerEvent): void {
    if (relayed.has(event.type)) this.#send('event', event as FollowedEvent, true)
  }

  /** What was posted is on its way: nothing may join it. */
  sent(): void {
    this.#open = null
  }

  moved(): void {
    this.#send('moved', null, true)
    this.end()
    this.#gone(this)
  }

  end(): void {
    this.#untap()
  }

  #send<Kind extends FollowedItem[3]>(kind: Kind, content: Extract<FollowedItem, readonly [number, number, number, Kind, unknown]>[4], urgent: boolean): void {
    this.#open = null
    this.#post([this.conversationId, this.mirror, (this.#sequence += 1), kind, content] as FollowedItem, urgent)
  }
}
