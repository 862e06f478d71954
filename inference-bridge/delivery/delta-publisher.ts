/**
 * Sends what the runs of this bridge have got since last time: all of one edge in one batch, every few milliseconds.
 * It holds no text: a run does, and gives what it has when the batch is made. So nothing is done per token, and what
 * cannot be sent costs no memory; the edge finds the gap and asks for it.
 */
import { encodeDeltaBatch } from '../../protocol/bus/codec.ts'
import type { DeltaItem } from '../../protocol/bus/deltas.ts'
import { busVersion, deltasSubject } from '../../protocol/bus/subjects.ts'
import { BusError, type Channel } from '../../platform/bus/channel.ts'
import type { Clock } from '../../platform/clock.ts'

export interface DeltaSource {
  /** The edge that owns the turn. */
  readonly edge: string
  /** What may be sent and has not been; null where there is nothing. What is taken counts as sent. */
  takeDelta(): DeltaItem | null
  /** An item without text and ids. */
  beat(): DeltaItem
}

export interface DeltaPublisherOptions {
  readonly bridge: string
  readonly channel: Channel
  readonly clock: Clock
  readonly flushMs: number
  readonly beatMs: number
  /** Called for each batch, for metrics. `dropped`: the bus did not take it. */
  readonly onBatch: (items: number, bytes: number, dropped: boolean) => void
}

const batchBytes = 256 * 1024
/** Turn id, numbers and framing of an item, at most. */
const itemOverheadBytes = 80
/** Beats are looked for this many times a period, and sent in time for the next look. */
const looksPerBeat = 4

/** A live run, as the publisher keeps it. */
interface Feed {
  readonly source: DeltaSource
  /** When it was last heard, on the monotonic clock. */
  heardAt: number
  /** It has sent a delta: its further ones wait for the timer. */
  begun: boolean
  /** It has something new, and waits in `#dirty`. */
  dirty: boolean
}

export class DeltaPublisher {
  readonly #options: DeltaPublisherOptions
  readonly #feeds = new Map<DeltaSource, Feed>()
  /** Those that are not dirty any more are passed by. */
  #dirty: Feed[] = []
  #flushTimer: NodeJS.Timeout | undefined
  #beatTimer: NodeJS.Timeout | undefined

  constructor(options: DeltaPublisherOptions) {
    this.#options = options
  }

  /** A run begins: from now on it is heard of. */
  add(source: DeltaSource): void {
    this.#feeds.set(source, { source, heardAt: this.#options.clock.monotonic(), begun: false, dirty: false })
    this.#beatTimer ??= setInterval(() => this.#sendBeats(), this.#options.beatMs / looksPerBeat)
  }

  remove(source: DeltaSource): void {
    const feed = this.#feeds.get(source)
    if (feed !== undefined) feed.dirty = false
    this.#feeds.delete(source)
    if (this.#feeds.size > 0) return
    clearInterval(this.#beatTimer)
    clearTimeout(this.#flushTimer)
    this.#beatTimer = undefined
    this.#flushTimer = undefined
    this.#dirty = []
  }

  /** The run has something new. Its first goes at once. */
  mark(source: DeltaSource): void {
    const feed = this.#feeds.get(source)
    if (feed === undefined || feed.dirty) return
    if (!feed.begun) {
      this.#flush(feed)
      return
    }
    feed.dirty = true
    this.#dirty.push(feed)
    this.#flushTimer ??= setTimeout(() => this.#flushDirty(), this.#options.flushMs)
  }

  /** Sends what the run has now. */
  flush(source: DeltaSource): void {
    const feed = this.#feeds.get(source)
    if (feed !== undefined) this.#flush(feed)
  }

  #flush(feed: Feed): void {
    feed.dirty = false
    const item = feed.source.takeDelta()
    if (item === null) return
    feed.begun = true
    feed.heardAt = this.#options.clock.monotonic()
    this.#send(new Map([[feed.source.edge, [item]]]))
  }

  #flushDirty(): void {
    this.#flushTimer = undefined
    const now = this.#options.clock.monotonic()
    const batches = new Map<string, DeltaItem[]>()
    for (const feed of this.#dirty) {
      if (!feed.dirty) continue
      feed.dirty = false
      const item = feed.source.takeDelta()
      if (item === null) continue
      feed.heardAt = now
      addTo(batches, feed.source.edge, item)
    }
    this.#dirty = []
    this.#send(batches)
  }

  #sendBeats(): void {
    const now = this.#options.clock.monotonic()
    const { beatMs } = this.#options
    const batches = new Map<string, DeltaItem[]>()
    for (const feed of this.#feeds.values()) {
      if (now - feed.heardAt < beatMs - (2 * beatMs) / looksPerBeat) continue
      feed.heardAt = now
      addTo(batches, feed.source.edge, feed.source.beat())
    }
    this.#send(batches)
  }

  #send(batches: ReadonlyMap<string, DeltaItem[]>): void {
    for (const [edge, items] of batches) {
      let from = 0
      let bytes = 0
      for (let index = 0; index < items.length; index++) {
        const item = items[index] as DeltaItem
        const size = itemOverheadBytes + 3 * item[3].length + item[5].byteLength
        if (bytes > 0 && bytes + size > batchBytes) {
          this.#publish(edge, items.slice(from, index))
          from = index
          bytes = 0
        }
        bytes += size
      }
      this.#publish(edge, from === 0 ? items : items.slice(from))
    }
  }

  #publish(edge: string, items: DeltaItem[]): void {
    const payload = encodeDeltaBatch({ v: busVersion, bridge: this.#options.bridge, items })
    let dropped = this.#options.channel.status !== 'connected'
    try {
      this.#options.channel.publish(deltasSubject(edge), payload)
    } catch (error) {
      if (!(error instanceof BusError)) throw error
      dropped = true
    }
    this.#options.onBatch(items.length, payload.byteLength, dropped)
  }
}

function addTo(batches: Map<string, DeltaItem[]>, edge: string, item: DeltaItem): void {
  const items = batches.get(edge)
  if (items === undefined) batches.set(edge, [item])
  else items.push(item)
}
