/** One client of a feed: where it stands, and whether it hears already. */
import type { ClientConnection, FeedClient, PartsClient, Subscription } from '../conversation-service.ts'
import type { Pace } from '../../protocol/websocket/fields.ts'

export interface Position {
  turnId: string
  attempt: number
  offset: number
}

/** What a subscriber asks of its feed. */
interface Feeding {
  advance(subscriber: Subscriber): void
  owesSeveral(subscriber: Subscriber): boolean
  pump(subscriber: Subscriber): void
  paced(subscriber: Subscriber): void
  remove(subscriber: Subscriber): void
}

export class Subscriber implements Subscription {
  readonly conversationId: number
  readonly client: FeedClient
  /** One of both is the client. */
  readonly framed: ClientConnection | null
  readonly parts: PartsClient | null
  readonly #feed: Feeding
  readonly #onMoved: () => void
  /** Of the next event. */
  index: number
  started = false
  closed = false
  live = true
  position: Position | null
  /** Of those that are flushed over the same connection. */
  next: Subscriber | null = null

  constructor(feed: Feeding, conversationId: number, client: FeedClient, index: number, position: Readonly<Position> | null, onMoved: () => void) {
    this.#feed = feed
    this.#onMoved = onMoved
    this.conversationId = conversationId
    this.client = client
    this.framed = 'subprotocol' in client ? client : null
    this.parts = 'subprotocol' in client ? null : client
    this.index = index
    this.position = position === null ? null : { ...position }
  }

  /** Whether bringing it up to date takes more than one frame. */
  get owesSeveral(): boolean {
    return this.#feed.owesSeveral(this)
  }

  /** Sends what there is, as long as the client takes it. */
  advance(): void {
    this.#feed.advance(this)
  }

  start(): void {
    this.started = true
    this.#feed.pump(this)
  }

  pump(): void {
    this.#feed.pump(this)
  }

  setPace(pace: Pace): void {
    const live = pace === 'live'
    if (live === this.live || this.closed) return
    this.live = live
    this.#feed.paced(this)
  }

  close(): void {
    this.closed = true
    this.#feed.remove(this)
  }

  /** Nothing of what was lost may follow the news that it was. */
  moved(): void {
    this.close()
    this.#onMoved()
  }
}
