/**
 * Sends what the runs of this bridge have got since last time: all of one edge in one batch, every few milliseconds.
 * It holds no text: a run does, and gives what it has when the batch is made. So nothing is done per token, and what
 * cannot be sent costs no memory; the edge finds the gap and asks for it.
 */
import { encodeBus } from '../../protocol/bus/codec.ts'
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

export class DeltaPublisher {
  readonly #options: DeltaPublisherOptions
  /** Every live run, and when it was last heard, on the monotonic clock. */
  readonly #heardAt = new Map<DeltaSource, number>()
  readonly #dirty = new Set<DeltaSource>()
  /** Runs that have sent a delta: their further ones wait for the timer. */
  readonly #begun = new WeakSet<DeltaSource>()
  #flushTimer: NodeJS.Timeout | undefined
  #beatTimer: NodeJS.Timeout | undefined

  constructor(options: DeltaPublisherOptions) {
    this.#options = options
  }

  /** A run begins: from now on it is heard of. */
  add(source: DeltaSource): void {
    this.#heardAt.set(source, this.#options.clock.monotonic())
    this.#beatTimer ??= setInterval(() => this.#sendBeats(), this.#options.beatMs / looksPerBeat)
  }

  remove(source: DeltaSource): void {
    this.#heardAt.delete(source)
    this.#dirty.delete(source)
    if (this.#heardAt.size > 0) return
    clearInterval(this.#beatTimer)
    clearTimeout(this.#flushTimer)
    this.#beatTimer = undefined
    this.#flushTimer = undefined
  }

  /** The run has something new. Its first goes at once. */
  mark(source: DeltaSource): void {
    if (!this.#heardAt.has(source)) return
    if (!this.#begun.has(source)) {
      this.flush(source)
      return
    }
    this.#dirty.add(source)
    this.#flushTimer ??= setTimeout(() => this.#flushDirty(), this.#options.flushMs)
  }

  /** Sends what the run has now. */
  flush(source: DeltaSource): void {
    const item = source.takeDelta()
    this.#dirty.delete(source)
    if (item === null) return
    this.#begun.add(source)
    this.#send(new Map([[source.edge, [item]]]))
    this.#heardAt.set(source, this.#options.clock.monotonic())
  }

  #flushDirty(): void {
    this.#flushTimer = undefined
    const now = this.#options.clock.monotonic()
    const batches = new Map<string, DeltaItem[]>()
    for (const source of this.#dirty) {
      const item = source.takeDelta()
      if (item === null) continue
      this.#heardAt.set(source, now)
      addTo(batches, source.edge, item)
    }
    this.#dirty.clear()
    this.#send(batches)
  }

  #sendBeats(): void {
    const now = this.#options.clock.monotonic()
    const { beatMs } = this.#options
    const batches = new Map<string, DeltaItem[]>()
    for (const [source, heardAt] of this.#heardAt) {
      if (now - heardAt < beatMs - (2 * beatMs) / looksPerBeat) continue
      this.#heardAt.set(source, now)
      addTo(batches, source.edge, source.beat())
    }
    this.#send(batches)
  }

  #send(batches: ReadonlyMap<string, readonly DeltaItem[]>): void {
    for (const [edge, items] of batches) {
      let from = 0
      let bytes = 0
      for (const [index, [, , , text, , ids]] of items.entries()) {
        const size = itemOverheadBytes + 3 * text.length + ids.byteLength
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

  #publish(edge: string, items: readonly DeltaItem[]): void {
    const payload = encodeBus({ v: busVersion, bridge: this.#options.bridge, items: items as DeltaItem[] })
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
