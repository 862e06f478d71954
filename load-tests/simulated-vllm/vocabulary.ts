/**
 * The simulated vocabulary: every id has a meaning that arithmetic alone can tell, so that text and ids
 * turn into each other without a table.
 *
 * | ids                 | token                                                             |
 * |---------------------|-------------------------------------------------------------------|
 * | 0, 1, 2             | end of text, start of a chat message, end of a chat message (EOS) |
 * | BYTE_BASE + b       | the single byte b                                                 |
 * | PIECE_BASE + ...    | one to three lower-case letters, with or without a leading space  |
 * | TAG_HIGH_BASE + v   | `[` and four hexadecimal digits: the first token of a reply       |
 * | TAG_LOW_BASE + v    | four hexadecimal digits and `]`: the second token of a reply      |
 * | WORD_BASE + ...     | a numbered word such as ` k17`: every further token of a reply    |
 *
 * The size stays under 999,999, the id that vLLM was recorded to refuse as out of vocabulary.
 */
export const MESSAGE_START = 1;
export const MESSAGE_END = 2;
export const SPECIAL_TEXTS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const;

export const BYTE_BASE = 3;
export const PIECE_BASE = BYTE_BASE + 256;

const LETTERS = 26;
/** Index of the first piece of one, two and three letters among those of one spacing. */
const PIECE_OFFSETS = [0, 0, LETTERS, LETTERS + LETTERS ** 2] as const;
const PIECES = LETTERS + LETTERS ** 2 + LETTERS ** 3;

export const TAG_HIGH_BASE = PIECE_BASE + 2 * PIECES;
export const TAG_LOW_BASE = TAG_HIGH_BASE + 65_536;
export const WORD_BASE = TAG_LOW_BASE + 65_536;
/** The letters that a numbered word may begin with: which one depends on the prompt and the number. */
export const WORD_LETTERS = 'bdfgklmp';
/** Numbers of words are below this, and so is the length of a reply. */
export const WORD_NUMBERS = 65_536;
export const VOCABULARY_SIZE = WORD_BASE + WORD_LETTERS.length * WORD_NUMBERS;

export function wordId(letter: number, number: number): number {
  return WORD_BASE + letter * WORD_NUMBERS + number;
}

export function wordText(letter: number, number: number): string {
  return ` ${WORD_LETTERS[letter]}${number}`;
}

/** Id of a piece: `letters` has one to three characters of a to z. */
export function pieceId(letters: string, spaced: boolean): number {
  let index = 0;
  for (let i = 0; i < letters.length; i++) index = index * LETTERS + letters.charCodeAt(i) - 97;
  return PIECE_BASE + (spaced ? PIECES : 0) + (PIECE_OFFSETS[letters.length] ?? 0) + index;
}

function pieceText(id: number): string {
  let index = id - PIECE_BASE;
  const spaced = index >= PIECES;
  if (spaced) index -= PIECES;
  const length = index >= PIECE_OFFSETS[3] ? 3 : index >= PIECE_OFFSETS[2] ? 2 : 1;
  index -= PIECE_OFFSETS[length];
  let letters = '';
  for (let i = 0; i < length; i++) {
    letters = String.fromCharCode(97 + (index % LETTERS)) + letters;
    index = Math.floor(index / LETTERS);
  }
  return spaced ? ` ${letters}` : letters;
}

export function isByte(id: number): boolean {
  return id >= BYTE_BASE && id < PIECE_BASE;
}

export function isInVocabulary(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id < VOCABULARY_SIZE;
}

export function fourHexDigits(value: number): string {
  return value.toString(16).padStart(4, '0');
}

/** The text of a token that is not a byte: always ASCII. */
export function tokenText(id: number): string {
  if (id >= WORD_BASE) {
    const index = id - WORD_BASE;
    return wordText(Math.floor(index / WORD_NUMBERS), index % WORD_NUMBERS);
  }
  if (id >= TAG_LOW_BASE) return `${fourHexDigits(id - TAG_LOW_BASE)}]`;
  if (id >= TAG_HIGH_BASE) return `[${fourHexDigits(id - TAG_HIGH_BASE)}`;
  if (id >= PIECE_BASE) return pieceText(id);
  const special = SPECIAL_TEXTS[id];
  if (special === undefined) throw new RangeError(`token ${id} is a byte and has no text of its own`);
  return special;
}
