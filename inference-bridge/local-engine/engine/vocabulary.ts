/** The vocabulary of a byte-level BPE tokenizer (GPT-2's alphabet), as a GGUF holds it: which bytes each token stands for. */
export class Vocabulary {
  readonly size: number
  /** Length in UTF-16 code units of the longest token: a text longer than n times this has more than n tokens. */
  readonly longestToken: number
  readonly #tokens: readonly string[]
  readonly #kinds: readonly number[]

  /** `kinds`: `tokenizer.ggml.token_type`, one per token. */
  constructor(tokens: readonly string[], kinds: readonly number[]) {
    this.#tokens = tokens
    this.#kinds = kinds
    this.size = tokens.length
    this.longestToken = tokens.reduce((longest, token) => Math.max(longest, token.length), 1)
  }

  has(id: number): boolean {
    return Number.isInteger(id) && id >= 0 && id < this.size
  }

  /** Marks such as the end of a sequence: they are no text of a reply. */
  isControl(id: number): boolean {
    return this.#kinds[id] === ggufTokenKind.control
  }

  /** The token in the vocabulary's own spelling: a space is "Ġ". */
  spelling(id: number): string {
    const token = this.#tokens[id]
    if (token === undefined) throw new RangeError(`Token id ${id} is out of vocabulary`)
    return token
  }

  /** May hold a part of a character only. Control tokens give the bytes of their name. */
  bytes(id: number): Uint8Array {
    const spelling = this.spelling(id)
    return this.#kinds[id] === ggufTokenKind.normal ? bytesOfSpelling(spelling) : utf8.encode(spelling)
  }
}

const ggufTokenKind = { normal: 1, control: 3 } as const
const utf8 = new TextEncoder()

/** GPT-2 spells a printable byte as that Latin-1 character, and the 68 others as U+0100 onwards, in order. */
const byteOfCharacter = new Map<string, number>()
let others = 0
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  byteOfCharacter.set(String.fromCodePoint(printable ? byte : 0x100 + others++), byte)
}

function bytesOfSpelling(spelling: string): Uint8Array {
  const bytes: number[] = []
  for (const character of spelling) {
    const byte = byteOfCharacter.get(character)
    if (byte === undefined) bytes.push(...utf8.encode(character))
    else bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}
