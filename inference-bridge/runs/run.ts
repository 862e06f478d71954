/**
 * One grant to generate a turn's reply: what it has, what of it was sent where, and how its owner can move or stop it.
 *
 * live → over: by `end` once its finish is confirmed or dropped, by `abort` (the owner's word: the turn is ended or
 * granted anew) or by `handOver` (this bridge stops). Over, it does nothing more by itself; its text is kept until then.
 */
import type { BeginGranted } from '../../protocol/bus/begin.ts'
import type { DeltaItem } from '../../protocol/bus/deltas.ts'
import type { Span } from '../../platform/tracing/tracer.ts'
import type { DeltaSource } from '../delivery/delta-publisher.ts'
import { Generation, type Pair } from '../generation/generation.ts'
import type { WholeTokens } from '../generation/whole-tokens.ts'

export interface AbortableStream {
  abort(): void
}

export interface ReplayedText {
  readonly text: string
  readonly tokenIds: Uint8Array
}

export type RunStop = 'aborted' | 'handed_over'

const noIds = new Uint8Array(0)

export class Run implements DeltaSource {
  readonly turnId: string
  readonly conversationId: number
  readonly grant: BeginGranted
  readonly generation: Generation
  readonly span: Span
  #edge: string
  #sent: Pair
  #finishSent = false
  #stop: RunStop | null = null
  readonly #stopping = new AbortController()
  #stream: AbortableStream | null = null

  constructor(turn: { readonly turnId: string; readonly conversationId: number }, grant: BeginGranted, whole: WholeTokens, span: Span) {
    this.turnId = turn.turnId
    this.conversationId = turn.conversationId
    this.grant = grant
    this.span = span
    this.#edge = grant.edge
    const { resume } = grant
    this.generation = new Generation({ stop: grant.params.stop ?? [], ...(resume === null ? {} : { resume: { text: resume.text, tokenIds: resume.token_ids } }) }, whole)
    this.#sent = this.generation.showable
  }

  get edge(): string {
    return this.#edge
  }

  get number(): number {
    return this.grant.run
  }

  /** Up to where text and ids were sent, what the run resumed from included. */
  get sent(): Pair {
    return this.#sent
  }

  /** How it was stopped, or null. */
  get stopped(): RunStop | null {
    return this.#stop
  }

  /** Aborts when the run is stopped. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  takeDelta(): DeltaItem | null {
    if (this.#stop !== null) return null
    const from = this.#sent
    const to = this.generation.showable
    if (to.text === from.text && to.ids === from.ids) return null
    this.#sent = to
    return [this.turnId, this.number, from.text, this.generation.textBetween(from.text, to.text), from.ids, this.generation.ids.bytes(from.ids, to.ids)]
  }

  beat(): DeltaItem {
    return [this.turnId, this.number, this.#sent.text, '', this.#sent.ids, noIds]
  }

  /** The stream that is generating: it is closed when the run is stopped. */
  generatesWith(stream: AbortableStream | null): void {
    this.#stream = stream
    if (this.#stop !== null) stream?.abort()
  }

  /** A request to finish goes out: from now on all text counts as sent. */
  finishGoesOut(): void {
    this.#finishSent = true
  }

  /** The owner is at `edge` now, and holds text and ids up to these. Null where this run never had so much. */
  attach(edge: string, offset: number, idOffset: number): ReplayedText | null {
    const to = this.generation.showable
    if (offset > to.text || idOffset > to.ids) return null
    this.#edge = edge
    this.#sent = to
    return { text: this.generation.textBetween(offset, to.text), tokenIds: this.generation.ids.bytes(idOffset, to.ids) }
  }

  /** Stops at once. All text that this attempt has ever sent. */
  abort(): string {
    this.#end('aborted')
    return this.generation.text.slice(0, this.#finishSent ? undefined : this.#sent.text)
  }

  handOver(): void {
    this.#end('handed_over')
  }

  #end(how: RunStop): void {
    if (this.#stop !== null) return
    this.#stop = how
    this.#stream?.abort()
    this.#stopping.abort()
  }
}
