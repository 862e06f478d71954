import type { Vocabulary } from './vocabulary.ts'

/**
 * Turns tokens into text as they come. Text is withheld while the bytes so far end within a character, so that text
 * which is not empty is the whole text of all tokens up to its own. Bytes that can no longer become a character turn
 * into U+FFFD. Control tokens are no text.
 */
export class Detokenizer {
  readonly #vocabulary: Vocabulary
  #withheld: Uint8Array

  /** `promptIds`: a prompt that ends within a character (a reply resumed there) lends its last bytes. */
  constructor(vocabulary: Vocabulary, promptIds: readonly number[] = []) {
    this.#vocabulary = vocabulary
    // A token is at least a byte, and an unfinished character at most three.
    const tail = concat(promptIds.slice(-3).map((id) => this.#textBytes(id)))
    this.#withheld = tail.subarray(tail.length - unfinishedBytes(tail))
  }

  /** The text that `id` completes, or "" while it is withheld. */
  push(id: number): string {
    const bytes = concat([this.#withheld, this.#textBytes(id)])
    if (unfinishedBytes(bytes) > 0) {
      this.#withheld = bytes
      return ''
    }
    this.#withheld = nothing
    return decoder.decode(bytes)
  }

  #textBytes(id: number): Uint8Array {
    return this.#vocabulary.isControl(id) ? nothing : this.#vocabulary.bytes(id)
  }
}

/** The text of all `ids` at once, with the names of control tokens. */
export function detokenize(vocabulary: Vocabulary, ids: readonly number[]): string {
  return decoder.decode(concat(ids.map((id) => vocabulary.bytes(id))))
}

const nothing = new Uint8Array(0)
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** How many bytes at the end are the beginning of a character that valid bytes could still complete: 0 to 3. */
function unfinishedBytes(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const lead = bytes[bytes.length - length] ?? 0
    if ((lead & 0xc0) === 0x80) continue
    return isUnfinished(bytes.subarray(bytes.length - length)) ? length : 0
  }
  return 0
}

/** Whether a lead byte with the continuation bytes after it begins a character (Unicode, table 3-7) and lacks its end. */
function isUnfinished(bytes: Uint8Array): boolean {
  const lead = bytes[0] ?? 0
  const second = bytes[1]
  const needed = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0
  if (bytes.length >= needed) return false
  if (second === undefined) return true
  if (lead === 0xe0) return second >= 0xa0
  if (lead === 0xed) return second <= 0x9f
  if (lead === 0xf0) return second >= 0x90
  if (lead === 0xf4) return second <= 0x8f
  return true
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}
