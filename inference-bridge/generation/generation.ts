/**
 * What one run has of its reply: text, token ids, and which of both may be shown. It does nothing outside itself.
 *
 * Text is shown only up to a **pair**: a number of ids and the length of the text that says exactly the same, so that
 * whoever takes over goes on from the shown text without a seam. An engine withholds the bytes of an unfinished
 * character although it has sent their ids, so not every chunk ends in a pair:
 * - one id with text: a pair. Text comes only once it is complete.
 * - no text: no pair. The ids wait for the character's rest.
 * - several ids with text: the last ones may be the beginning of a character whose text is to come. It is a pair if the
 *   last id is whole characters by itself; else it is in doubt until `settle`, or until a later pair comes.
 *
 * An engine that gives no ids gives pairs of no ids: its text can be shown, but not gone on from.
 *
 * Stop strings are found here, and text that may be the beginning of one is held back, down to the last pair before it.
 */
import { sanitizeModelText, utf8Length } from '../../protocol/text.ts'
import { limits } from '../../protocol/websocket/limits.ts'
import { GrowingText } from './growing-text.ts'
import { StopStrings } from './stop-strings.ts'
import { TokenIdBuffer } from './token-id-buffer.ts'
import type { WholeTokens } from './whole-tokens.ts'

export interface Pair {
  /** Number of ids. */
  readonly ids: number
  /** UTF-16 code units. */
  readonly text: number
}

export type GenerationEnd = 'stop' | 'length'

export interface GeneratedChunk {
  readonly text: string
  readonly ids: readonly number[] | null
  /** `stop` and `length` end the generation, anything else says nothing here. */
  readonly finishReason: string | null
}

export interface GenerationStart {
  readonly stop: readonly string[]
  /** What was shown before, a pair: text that these ids say. */
  readonly resume?: { readonly text: string; readonly tokenIds: Uint8Array }
}

const noText: Pair = { ids: 0, text: 0 }

export class Generation {
  readonly #stops: StopStrings
  readonly #whole: WholeTokens
  readonly #ids: TokenIdBuffer
  /** Whether text comes with ids; null until the first token. */
  #withIds: boolean | null
  #text: GrowingText
  #bytes: number
  /** Stop strings that end before here were looked for. */
  #searched: number
  /** A high surrogate whose other half has not come. */
  #halfPair = ''
  #certain: Pair
  #shown: Pair
  /** Certain pairs that may lie in a stop string, oldest first: at most as many as the longest stop string has units. */
  #held: Pair[] = []
  #doubt: Pair | null = null
  #end: GenerationEnd | null

  constructor({ stop, resume }: GenerationStart, whole: WholeTokens) {
    this.#stops = new StopStrings(stop)
    this.#whole = whole
    this.#ids = new TokenIdBuffer(resume?.tokenIds)
    const text = resume?.text ?? ''
    this.#text = new GrowingText(text)
    this.#bytes = utf8Length(text)
    this.#withIds = this.#ids.count > 0 ? true : null
    // No stop string begins in text that was shown: it would have been held back.
    this.#searched = this.#text.length
    this.#certain = { ids: this.#ids.count, text: this.#text.length }
    this.#shown = this.#certain
    this.#end = this.#ids.lastIsNoText ? 'stop' : null
  }

  /** All text so far; once ended, the reply. */
  get text(): string {
    return this.#text.whole
  }

  /** Text from one place to another, in UTF-16 code units: cheaper than a slice of all of it where it is the newest. */
  textBetween(from: number, to: number): string {
    return this.#text.slice(from, to)
  }

  /** All ids so far. */
  get ids(): TokenIdBuffer {
    return this.#ids
  }

  /** Up to where text and ids may leave the bridge. */
  get showable(): Pair {
    return this.#shown
  }

  get end(): GenerationEnd | null {
    return this.#end
  }

  /** Whether the text can be gone on from by its ids. */
  get hasIds(): boolean {
    return this.#withIds === true
  }

  /** The newest pair in doubt, for `settle`: its text may say less than its ids. */
  get doubt(): Pair | null {
    return this.#doubt
  }

  /** False for text without ids in a reply that has ids: it could not be gone on from. Nothing is taken then. */
  push({ text, ids, finishReason }: GeneratedChunk): boolean {
    if (this.#end !== null) return true
    const count = ids?.length ?? 0
    if (this.#withIds === null && (count > 0 || text !== '')) this.#withIds = count > 0
    if (this.#withIds === true) {
      if (text !== '' && count === 0) return false
      this.#pushWithIds(text, ids ?? [])
    } else if (text !== '') {
      this.#accept(text)
      this.#certain = { ids: 0, text: this.#text.length }
      this.#release(this.#certain)
    }
    if (finishReason === 'stop' || finishReason === 'length') this.#finish(finishReason, count > 0)
    return true
  }

  /** The text of the pair in doubt is complete but for its last `unfinished` ids, which begin a character. */
  settle(doubt: Pair, unfinished: number): void {
    const pair: Pair = { ids: doubt.ids - unfinished, text: doubt.text }
    if (this.#end !== null || pair.ids <= this.#certain.ids || pair.text > this.#text.length) return
    if (this.#doubt === doubt) this.#doubt = null
    this.#certain = pair
    this.#release(pair)
  }

  /** The whole reply is known without generating: nothing of it shows before its finish. For a generation that has nothing yet. */
  endKnown(text: string, reason: GenerationEnd): void {
    this.#text = new GrowingText(text)
    this.#end = reason
  }

  /** Ends a reply that has got all the tokens it may have. */
  endByLength(): void {
    if (this.#end === null) this.#finish('length', false)
  }

  /** A stream broke: drops what follows the last certain pair, from which the next one goes on. */
  rewind(): void {
    if (this.#end !== null) return
    this.#ids.truncate(this.#certain.ids)
    this.#text.truncate(this.#certain.text)
    this.#bytes = utf8Length(this.#text.whole)
    this.#searched = Math.min(this.#searched, this.#text.length)
    this.#halfPair = ''
    this.#doubt = null
    if (this.#certain.text === 0) this.#withIds = this.#certain.ids > 0 ? true : null
  }

  /** Drops everything, shown or not. */
  restart(): void {
    this.#certain = noText
    this.#shown = noText
    this.#held = []
    this.rewind()
  }

  #pushWithIds(text: string, ids: readonly number[]): void {
    const wasCertain = this.#certain.ids === this.#ids.count
    this.#ids.append(ids)
    if (text === '') return
    this.#accept(text)
    const last = ids[ids.length - 1] as number
    const pair: Pair = { ids: this.#ids.count, text: this.#text.length }
    if (this.#halfPair !== '') return
    if (ids.length === 1) {
      if (wasCertain && this.#whole.get(last) === undefined) this.#whole.learn(last, true)
    } else if (this.#whole.get(last) !== true) {
      this.#doubt = pair
      return
    }
    this.#doubt = null
    this.#certain = pair
    this.#release(pair)
  }

  /** Adds text, and ends the reply at a stop string or at the greatest size of a message. */
  #accept(piece: string): void {
    if (this.#end !== null) return
    let text = this.#halfPair + piece
    this.#halfPair = ''
    if (isHighSurrogate(text.charCodeAt(text.length - 1))) {
      this.#halfPair = text.slice(-1)
      text = text.slice(0, -1)
    }
    text = sanitizeModelText(text)
    const bytes = utf8Length(text)
    const overflows = this.#bytes + bytes > limits.textBytes
    if (overflows) text = prefixOfBytes(text, limits.textBytes - this.#bytes)
    this.#text.append(text)
    this.#bytes += overflows ? utf8Length(text) : bytes
    if (!this.#stops.none) {
      const from = Math.max(0, this.#searched - this.#stops.reach)
      const match = this.#stops.find(this.#text.slice(from), this.#searched - from)
      this.#searched = this.#text.length
      if (match !== null) {
        this.#text.truncate(from + match.at)
        this.#end = 'stop'
        return
      }
    }
    if (overflows) this.#end = 'length'
  }

  #release(pair: Pair): void {
    if (this.#end !== null) return
    if (this.#stops.none) {
      this.#shown = pair
      return
    }
    this.#held.push(pair)
    const from = Math.max(0, this.#text.length - this.#stops.reach)
    const safe = from + this.#stops.safeLength(this.#text.slice(from))
    let released = 0
    for (const held of this.#held) {
      if (held.text > safe) break
      this.#shown = held
      released += 1
    }
    this.#held.splice(0, released)
  }

  #finish(reason: GenerationEnd, endsInIds: boolean): void {
    if (this.#halfPair !== '') {
      this.#halfPair = ''
      this.#accept('\ufffd')
    }
    if (this.#end !== null) return
    this.#end = reason
    if (reason === 'stop' && endsInIds) this.#ids.markLastAsNoText()
    // Ids that say that the reply has ended, by their mark or their number, are not gone on from: they may hold the
    // beginning of a character that never came.
    const saysEnd = reason === 'length' || endsInIds
    this.#shown = this.#withIds !== true ? { ids: 0, text: this.#text.length } : saysEnd ? { ids: this.#ids.count, text: this.#text.length } : this.#certain
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

/** The longest beginning of so many bytes in UTF-8 that is not cut inside a character. */
function prefixOfBytes(text: string, maxBytes: number): string {
  let bytes = 0
  let length = 0
  for (const character of text) {
    bytes += utf8Length(character)
    if (bytes > maxBytes) break
    length += character.length
  }
  return text.slice(0, length)
}
