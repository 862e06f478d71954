/**
 * What the simulated model answers: a pure function of the last user message, so that whoever reads a
 * transcript can tell, without asking the engine, that it is complete, in order and the answer to this
 * very prompt.
 *
 * A reply reads `[3fa901c2] k2 b3 m4 ...`: two tokens with a tag derived from the message, then words
 * that carry their own number and a letter derived from tag and number. Multi-byte replies mix in
 * characters of three and four bytes, a byte a token.
 *
 * This file needs nothing of Node, so that a load generator may import it.
 */
import { BYTE_BASE, fourHexDigits, TAG_HIGH_BASE, TAG_LOW_BASE, wordId, WORD_LETTERS, WORD_NUMBERS, wordText } from './vocabulary.ts';

/** Longest reply, in tokens: a number per token must exist. */
export const MAX_REPLY_TOKENS = WORD_NUMBERS - 1;

/** Tokens before the first numbered word. */
const TAG_TOKENS = 2;
/** In a multi-byte reply words and characters alternate in cycles of three words, an emoji, a word, a CJK character, a word. */
const CYCLE = 12;
const EMOJI_AT = 3;
const EMOJI_BYTES = 4;
const CJK_AT = 8;
const CJK_BYTES = 3;

export interface ReplyForm {
  /** Characters of several tokens among the words. */
  readonly multibyte: boolean;
}

/** What a prompt's last user message asks of the simulator: `[[tokens=200]]`, `[[multibyte]]`. */
export interface Directives {
  readonly tokens: number | undefined;
  readonly multibyte: boolean;
}

export function readDirectives(lastUserMessage: string): Directives {
  const tokens = /\[\[tokens=(\d{1,5})\]\]/.exec(lastUserMessage)?.[1];
  return {
    tokens: tokens === undefined ? undefined : Math.min(Number(tokens), MAX_REPLY_TOKENS),
    multibyte: lastUserMessage.includes('[[multibyte]]'),
  };
}

/**
 * A 32-bit tag of a prompt's last user message. Surrounding white space does not count, as chat
 * templates differ in whether they keep it.
 */
export function tagOf(lastUserMessage: string): number {
  const text = lastUserMessage.replaceAll(/[\ud800-\udfff]/gu, '\ufffd').trim();
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return scramble(hash);
}

export function tagText(tag: number): string {
  return fourHexDigits(tag >>> 16) + fourHexDigits(tag & 0xffff);
}

/** murmur3's finalizer: every bit of the input moves every bit of the result. */
function scramble(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mix(tag: number, position: number): number {
  return scramble(tag ^ Math.imul(position + 1, 0x9e3779b1));
}

/** Where in the cycle of a multi-byte reply a token stands, and the number of its character's first token. */
function character(position: number): { first: number; index: number; bytes: number } | undefined {
  const offset = (position - TAG_TOKENS) % CYCLE;
  if (offset >= EMOJI_AT && offset < EMOJI_AT + EMOJI_BYTES) {
    return { first: position - (offset - EMOJI_AT), index: offset - EMOJI_AT, bytes: EMOJI_BYTES };
  }
  if (offset >= CJK_AT && offset < CJK_AT + CJK_BYTES) {
    return { first: position - (offset - CJK_AT), index: offset - CJK_AT, bytes: CJK_BYTES };
  }
  return undefined;
}

/** U+1F600 to U+1F63F are F0 9F 98 80 to BF in UTF-8, U+4E00 to U+4E3F are E4 B8 80 to BF. */
function characterByte(tag: number, at: { first: number; index: number; bytes: number }): number {
  if (at.index === at.bytes - 1) return 0x80 + (mix(tag, at.first) & 0x3f);
  return (at.bytes === EMOJI_BYTES ? [0xf0, 0x9f, 0x98] : [0xe4, 0xb8])[at.index] ?? 0;
}

function characterText(tag: number, at: { first: number; index: number; bytes: number }): string {
  if (at.index < at.bytes - 1) return '';
  return String.fromCodePoint((at.bytes === EMOJI_BYTES ? 0x1f600 : 0x4e00) + (mix(tag, at.first) & 0x3f));
}

function letterAt(tag: number, position: number): number {
  return mix(tag, position) % WORD_LETTERS.length;
}

/** Id of the reply's token at `position`, counted from 0. */
export function replyTokenId(tag: number, position: number, form: ReplyForm): number {
  if (position === 0) return TAG_HIGH_BASE + (tag >>> 16);
  if (position === 1) return TAG_LOW_BASE + (tag & 0xffff);
  const at = form.multibyte ? character(position) : undefined;
  return at === undefined ? wordId(letterAt(tag, position), position) : BYTE_BASE + characterByte(tag, at);
}

/** Text that the reply's token at `position` adds: empty as long as its character is incomplete. */
export function replyTokenText(tag: number, position: number, form: ReplyForm): string {
  if (position === 0) return `[${fourHexDigits(tag >>> 16)}`;
  if (position === 1) return `${fourHexDigits(tag & 0xffff)}]`;
  const at = form.multibyte ? character(position) : undefined;
  return at === undefined ? wordText(letterAt(tag, position), position) : characterText(tag, at);
}

function formOf(lastUserMessage: string, form: ReplyForm | undefined): ReplyForm {
  return { multibyte: form?.multibyte === true || readDirectives(lastUserMessage).multibyte };
}

/** Text of the first `tokens` tokens of the reply to a message. `form` is the server's, the message's directives are read as well. */
export function expectedText(lastUserMessage: string, tokens: number, form?: ReplyForm): string {
  const tag = tagOf(lastUserMessage);
  const actualForm = formOf(lastUserMessage, form);
  let text = '';
  for (let position = 0; position < tokens; position++) text += replyTokenText(tag, position, actualForm);
  return text;
}

/**
 * - `gap`: tokens are missing before `offset`
 * - `repeat`: a token that came before comes again
 * - `foreign`: the token has the right number, but answers another prompt
 * - `truncated`: the text ends inside a token
 * - `too_short`, `too_long`: right as far as it goes, but not of the wanted length
 * - `garbled`: none of these
 */
export type TranscriptProblem = 'gap' | 'repeat' | 'foreign' | 'truncated' | 'too_short' | 'too_long' | 'garbled';

/** What a client would say of it. */
export const kindOfFault: Readonly<Record<TranscriptProblem, 'lost' | 'doubled' | 'reordered'>> = {
  gap: 'lost',
  truncated: 'lost',
  too_short: 'lost',
  repeat: 'doubled',
  too_long: 'doubled',
  foreign: 'reordered',
  garbled: 'reordered',
}

/** `tokens`: how many tokens of the reply the text begins with; `offset`: where it goes wrong, in UTF-16 units. */
export type Verdict =
  | { readonly ok: true; readonly tokens: number }
  | { readonly ok: false; readonly tokens: number; readonly offset: number; readonly problem: TranscriptProblem };

/** What a checker knows beside the prompt. */
export interface TranscriptExpectation extends Partial<ReplyForm> {
  /** Exact length in tokens; without it any prefix that ends with a token is right. */
  readonly tokens?: number;
}

/** Checks that a text is the beginning of the reply to this message, and its whole if a length is given. */
export function verifyTranscript(text: string, lastUserMessage: string, expectation: TranscriptExpectation = {}): Verdict {
  const tag = tagOf(lastUserMessage);
  const form = formOf(lastUserMessage, { multibyte: expectation.multibyte === true });
  let offset = 0;
  let position = 0;
  // Tokens that add no text stand open until the token that completes their character.
  let complete = 0;
  while (offset < text.length) {
    const piece = position > MAX_REPLY_TOKENS ? undefined : replyTokenText(tag, position, form);
    if (piece === undefined || !text.startsWith(piece, offset)) {
      return { ok: false, tokens: complete, offset, problem: diagnose(text.slice(offset), position, piece ?? '') };
    }
    position += 1;
    offset += piece.length;
    if (piece !== '') complete = position;
  }
  if (expectation.tokens === undefined) return { ok: true, tokens: complete };
  const wanted = expectedText(lastUserMessage, expectation.tokens, form).length;
  if (text.length === wanted) return { ok: true, tokens: expectation.tokens };
  return { ok: false, tokens: complete, offset: Math.min(text.length, wanted), problem: text.length < wanted ? 'too_short' : 'too_long' };
}

function diagnose(rest: string, position: number, expected: string): TranscriptProblem {
  if (expected.startsWith(rest)) return 'truncated';
  const number = new RegExp(`^ [${WORD_LETTERS}](\\d{1,5})(?!\\d)`).exec(rest)?.[1];
  if (number !== undefined) {
    if (Number(number) === position) return 'foreign';
    return Number(number) > position ? 'gap' : 'repeat';
  }
  if (/^\[[0-9a-f]{4}/.test(rest)) return position === 0 ? 'foreign' : 'repeat';
  return position < TAG_TOKENS ? 'foreign' : 'garbled';
}
