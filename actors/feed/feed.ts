/**
 * What the clients of one conversation see, held once for all of them: a short log of events, and the text of the turn
 * that runs. A subscriber holds positions only; one that is slow stays behind and is caught up in one frame when it
 * drains, so that its memory is constant however slow it is.
 */
import { encodeDelta, encodeServerMessage } from '../../protocol/websocket/codec.ts'
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import type { Subprotocol } from '../../protocol/websocket/subprotocols.ts'
import type { FeedClient, Subscription } from '../conversation-service.ts'
import { flushTogether } from './flush-together.ts'
import { Subscriber, type Position } from './subscriber.ts'
import { TurnText } from './turn-text.ts'

type Frame = string | Uint8Array

/** Events a subscriber may be behind before it is given up. */
const longestLog = 256

interface Entry {
  readonly event: ServerEvent
  /** The text that must be shown in full before this event: that of the turn it ends. */
  readonly ends: TurnText | null
  readonly frames: Partial<Record<Subprotocol, Frame>>
}

export interface FeedSchedule {
  /** Call `flush` soon: at once for `urgent`, else at the process's next flush. */
  markDirty(feed: Feed, urgent: boolean): void
  /** Nothing may be sent at the moment; what is dirty is flushed when that ends. */
  readonly held: boolean
}

/** Hears all that a feed is told, as it is told. */
export interface FeedTap {
  show(turnId: string, attempt: number, text: string): void
  emit(event: ServerEvent): void
  /** The conversation is not this process's any more: nothing follows. */
  moved(): void
}

export interface FeedOwner {
  /** A subscriber or a tap is gone. */
  left(): void
}

/** Most conversations rest, with one subscriber and no tap: an empty set would be as large as all else here. */
const none: readonly never[] = []

export class Feed {
  readonly #conversationId: number
  readonly #schedule: FeedSchedule
  readonly #owner: FeedOwner | null
  /** Never changed but for another list, so that it may be gone through while somebody leaves. */
  #subscribers: readonly Subscriber[] = none
  #taps: readonly FeedTap[] = none
  /** Subscribers that get text as it comes: where there is none, text needs no flush. */
  #live = 0
  #entries: Entry[] = []
  /** Index of the first entry kept. */
  #base = 0
  #current: TurnText | null = null
  /** The delta encoded last for each codec: most subscribers stand at the same place. */
  #lastDelta: Partial<Record<Subprotocol, { readonly of: TurnText; readonly offset: number; readonly end: number; readonly frame: Frame }>> | null = null

  constructor(conversationId: number, schedule: FeedSchedule, owner: FeedOwner | null = null) {
    this.#conversationId = conversationId
    this.#schedule = schedule
    this.#owner = owner
  }

  /** Whether anybody hears of it, here or at another edge. */
  get hasAudience(): boolean {
    return this.#subscribers.length > 0 || this.#taps.length > 0
  }

  /** The text of the turn that runs, as far as it was shown. */
  get shown(): { readonly turnId: string; readonly attempt: number; readonly text: string } | null {
    return this.#current
  }

  /** Returns the function that ends it. */
  tap(tap: FeedTap): () => void {
    this.#taps = [...this.#taps, tap]
    return () => {
      if (!this.#taps.includes(tap)) return
      this.#taps = without(this.#taps, tap)
      this.#owner?.left()
    }
  }

  /** A subscriber that will see all events from now on, and of the turn's text what lies beyond `position`. `onMoved`: it is closed, because the conversation is not this process's any more. */
  subscribe(client: FeedClient, position: Readonly<Position> | null, onMoved: () => void): Subscription {
    const subscriber = new Subscriber(this, this.#conversationId, client, this.#base + this.#entries.length, position, onMoved)
    this.#subscribers = [...this.#subscribers, subscriber]
    this.#live += 1
    return subscriber
  }

  remove(subscriber: Subscriber): void {
    if (!this.#subscribers.includes(subscriber)) return
    this.#subscribers = without(this.#subscribers, subscriber)
    if (subscriber.live) this.#live -= 1
    this.#trim()
    this.#owner?.left()
  }

  /** The conversation is not this process's any more. Whoever hears of it is told so, and hears no more. */
  moved(): void {
    for (const subscriber of this.#subscribers) if (!subscriber.closed) subscriber.moved()
    for (const tap of this.#taps) tap.moved()
  }

  /** The subscriber's pace has changed. */
  paced(subscriber: Subscriber): void {
    this.#live += subscriber.live ? 1 : -1
    this.pump(subscriber)
  }

  /** Adds to the text of a turn's attempt. Another attempt than before starts from nothing. */
  show(turnId: string, attempt: number, text: string): void {
    for (const tap of this.#taps) tap.show(turnId, attempt, text)
    const current = this.#current
    const same = current !== null && current.turnId === turnId && current.attempt === attempt
    const shown = same ? current : (this.#current = new TurnText(turnId, attempt))
    // A reader waits for the first text only; the rest is flushed in step with other conversations.
    if (this.#live > 0) this.#schedule.markDirty(this, shown.length === 0)
    shown.add(text)
  }

  emit(event: ServerEvent): void {
    for (const tap of this.#taps) tap.emit(event)
    const ending = event.type === 'turn.finished' || event.type === 'turn.failed'
    const text = this.#current
    const ends = ending && text !== null && text.turnId === event.turn_id && text.attempt === event.attempt ? text : null
    if (ending && text?.turnId === event.turn_id) this.#current = null
    // What was shown of an attempt before is dropped by this event, and must not be sent after it.
    if (event.type === 'turn.started') this.#current = new TurnText(event.turn_id, event.attempt)
    if (this.#subscribers.length === 0) return
    this.#entries.push({ event, ends, frames: {} })
    if (this.#entries.length > longestLog) {
      this.#entries.shift()
      this.#base += 1
    }
    this.#schedule.markDirty(this, true)
  }

  /** Brings every subscriber up to date that can be. */
  flush(): void {
    flushTogether([this])
  }

  /** Null while nothing may be sent: the feed stays dirty. */
  due(): readonly Subscriber[] | null {
    if (!this.#schedule.held) return this.#subscribers
    this.#schedule.markDirty(this, false)
    return null
  }

  flushed(): void {
    this.#current?.flushed()
    this.#lastDelta = null
    this.#trim()
  }

  /** An event, and perhaps text with it. */
  owesSeveral(subscriber: Subscriber): boolean {
    return subscriber.index < this.#base + this.#entries.length
  }

  pump(subscriber: Subscriber): void {
    if (this.#schedule.held) return this.#schedule.markDirty(this, false)
    this.advance(subscriber)
    this.#trim()
  }

  advance(subscriber: Subscriber): void {
    const { client } = subscriber
    if (!subscriber.started || subscriber.closed) return
    if (subscriber.index < this.#base) {
      subscriber.close()
      client.fellBehind()
      return
    }
    // What a client is told may make it close its subscription.
    while (client.writable && !subscriber.closed) {
      const entry = this.#entries[subscriber.index - this.#base]
      if (entry === undefined) {
        if (this.#current !== null && subscriber.live) this.#sendText(subscriber, this.#current)
        return
      }
      if (entry.ends !== null && this.#sendText(subscriber, entry.ends) && (!client.writable || subscriber.closed)) return
      const { event } = entry
      if (event.type === 'turn.started') this.#position(subscriber, event.turn_id, event.attempt)
      subscriber.index += 1
      if (subscriber.framed !== null) subscriber.framed.send((entry.frames[subscriber.framed.subprotocol] ??= encodeServerMessage(subscriber.framed.subprotocol, event)))
      else subscriber.parts?.event(event)
    }
  }

  #position(subscriber: Subscriber, turnId: string, attempt: number): Position {
    const { position } = subscriber
    if (position !== null && position.turnId === turnId && position.attempt === attempt) return position
    return (subscriber.position = { turnId, attempt, offset: 0 })
  }

  /** True if a frame was sent. */
  #sendText(subscriber: Subscriber, text: TurnText): boolean {
    const position = this.#position(subscriber, text.turnId, text.attempt)
    const end = text.length
    if (position.offset >= end) return false
    const { offset } = position
    position.offset = end
    if (subscriber.framed === null) {
      subscriber.parts?.delta(text.turnId, text.attempt, offset, end, text.from(offset))
      return true
    }
    const { subprotocol } = subscriber.framed
    const lastDelta = (this.#lastDelta ??= {})
    let last = lastDelta[subprotocol]
    if (last === undefined || last.of !== text || last.offset !== offset || last.end !== end) {
      last = { of: text, offset, end, frame: encodeDelta(subprotocol, text.turnId, text.attempt, offset, end, text.from(offset)) }
      lastDelta[subprotocol] = last
    }
    subscriber.framed.send(last.frame)
    return true
  }

  /** Forgets what every subscriber has passed. */
  #trim(): void {
    if (this.#entries.length === 0) return
    let least = this.#base + this.#entries.length
    for (const subscriber of this.#subscribers) least = Math.min(least, subscriber.index)
    if (least > this.#base) {
      this.#entries = this.#entries.slice(least - this.#base)
      this.#base = least
    }
  }
}

function without<T>(list: readonly T[], one: T): readonly T[] {
  return list.length === 1 ? none : list.filter((each) => each !== one)
}
