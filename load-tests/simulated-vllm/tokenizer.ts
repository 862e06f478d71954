/** Text to ids and back. Well-formed text survives the round trip unchanged; lone surrogates become U+FFFD. */
import {
  BYTE_BASE, isByte, pieceId, SPECIAL_TEXTS, TAG_HIGH_BASE, TAG_LOW_BASE, tokenText, wordId, WORD_LETTERS, WORD_NUMBERS,
} from './vocabulary.ts';

/** One alternative per kind of token, in order of preference; whatever is left is spelled in bytes. */
const TOKEN = new RegExp(
  [
    '(?<special><\\|(?:endoftext|im_start|im_end)\\|>)',
    '(?<tagHigh>\\[[0-9a-f]{4})',
    '(?<tagLow>[0-9a-f]{4}\\])',
    `(?<word> [${WORD_LETTERS}](?:0|[1-9]\\d{0,4})(?!\\d))`,
    '(?<piece> ?[a-z]{1,3})',
    '(?<other>[^])',
  ].join('|'),
  'gu',
);

export interface TokenizeOptions {
  /** Read `<|im_start|>` and its like as the special tokens that they name, as vLLM does with a raw prompt. */
  readonly special: boolean;
}

export function tokenize(text: string, options: TokenizeOptions): number[] {
  const ids: number[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const found = match[0];
    const groups = match.groups ?? {};
    if (groups['piece'] !== undefined) {
      const spaced = found.charCodeAt(0) === 0x20;
      ids.push(pieceId(spaced ? found.slice(1) : found, spaced));
    } else if (groups['word'] !== undefined && Number(found.slice(2)) < WORD_NUMBERS) {
      ids.push(wordId(WORD_LETTERS.indexOf(found.charAt(1)), Number(found.slice(2))));
    } else if (groups['tagHigh'] !== undefined) {
      ids.push(TAG_HIGH_BASE + Number.parseInt(found.slice(1), 16));
    } else if (groups['tagLow'] !== undefined) {
      ids.push(TAG_LOW_BASE + Number.parseInt(found.slice(0, 4), 16));
    } else if (groups['special'] !== undefined && options.special) {
      ids.push(SPECIAL_TEXTS.indexOf(found as (typeof SPECIAL_TEXTS)[number]));
    } else {
      for (const byte of Buffer.from(found)) ids.push(BYTE_BASE + byte);
    }
  }
  return ids;
}

function tokenBytes(id: number): Buffer {
  return isByte(id) ? Buffer.of(id - BYTE_BASE) : Buffer.from(tokenText(id), 'latin1');
}

/** All ids must be in the vocabulary. Bytes that are not UTF-8 read as U+FFFD. */
export function detokenize(ids: Iterable<number>): string {
  const bytes: Buffer[] = [];
  for (const id of ids) bytes.push(tokenBytes(id));
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(bytes));
}

/** The printable alphabet of byte-level BPE vocabularies (GPT-2's): printable bytes stand for themselves, the others for U+0100 onwards. */
const BYTE_LEVEL_ALPHABET = (() => {
  const printable = (byte: number): boolean => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

/** A token as `/tokenize` spells it with `return_token_strs`: a space reads `Ġ`. */
export function tokenString(id: number): string {
  if (id < BYTE_BASE) return tokenText(id);
  let text = '';
  for (const byte of tokenBytes(id)) text += BYTE_LEVEL_ALPHABET[byte];
  return text;
}
