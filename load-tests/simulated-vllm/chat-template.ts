/** The ChatML template of the recorded model, and its reverse: what a prompt's ids say about the reply that goes on from them. */
import { readDirectives, replyTokenId, tagOf, type ReplyForm } from './reply.ts';
import { detokenize, tokenize } from './tokenizer.ts';
import { MESSAGE_END, MESSAGE_START, TAG_HIGH_BASE, TAG_LOW_BASE } from './vocabulary.ts';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

const DEFAULT_SYSTEM = 'You are a helpful AI assistant named SmolLM, trained by Hugging Face';
const NEWLINE = tokenize('\n', { special: false });
const ASSISTANT_HEADER = tokenize('assistant\n', { special: false });
const USER_HEADER = tokenize('user\n', { special: false });

export interface RenderOptions {
  /** End with the header of an assistant's message. */
  readonly addGenerationPrompt: boolean;
  /** Leave the last message open, so that the model goes on with its text. */
  readonly continueFinalMessage: boolean;
}

/** Roles are not checked: the recorded model's template takes any, in any order. */
export function renderChat(messages: readonly ChatMessage[], options: RenderOptions): number[] {
  const ids: number[] = [];
  const open = (role: string, content: string): void => {
    ids.push(MESSAGE_START, ...tokenize(`${role}\n`, { special: false }));
    for (const id of tokenize(content, { special: false })) ids.push(id);
  };
  const close = (): void => void ids.push(MESSAGE_END, ...NEWLINE);
  if (messages[0]?.role !== 'system') {
    open('system', DEFAULT_SYSTEM);
    close();
  }
  messages.forEach(({ role, content }, index) => {
    open(role, content);
    if (!(options.continueFinalMessage && index === messages.length - 1)) close();
  });
  if (options.addGenerationPrompt) ids.push(MESSAGE_START, ...ASSISTANT_HEADER);
  return ids;
}

/** What the simulator knows of a reply before it gives it. */
export interface ReplyPlan {
  readonly tag: number;
  readonly form: ReplyForm;
  /** Index in the prompt of the reply's first token: all before it is the prompt proper. */
  readonly boundary: number;
  /** Tokens of the reply that the prompt holds already: the reply goes on at this position. */
  readonly resumedAt: number;
  /** Whether those tokens are exactly the beginning of the reply to this prompt. */
  readonly resumedIntact: boolean;
  /** The prompt ends after the end of the reply, so that nothing is left to say. */
  readonly ended: boolean;
  /** Tokens of the whole reply, without the end-of-sequence token. */
  readonly length: number;
}

export interface ReplyDefaults extends ReplyForm {
  readonly replyTokens: number;
}

/**
 * Reads a prompt's ids. With the template, the reply is what follows the last header of an assistant's
 * message; without it, what follows the last tag that a reply begins with.
 */
export function planReply(promptIds: readonly number[], defaults: ReplyDefaults): ReplyPlan {
  const { boundary, lastUserMessage } = split(promptIds);
  const directives = readDirectives(lastUserMessage);
  const tag = tagOf(lastUserMessage);
  const form: ReplyForm = { multibyte: defaults.multibyte || directives.multibyte };
  const end = promptIds.indexOf(MESSAGE_END, boundary);
  const ended = end !== -1;
  const resumedAt = (ended ? end : promptIds.length) - boundary;
  let resumedIntact = true;
  for (let position = 0; position < resumedAt && resumedIntact; position++) {
    resumedIntact = promptIds[boundary + position] === replyTokenId(tag, position, form);
  }
  return { tag, form, boundary, resumedAt, resumedIntact, ended, length: directives.tokens ?? defaults.replyTokens };
}

function startsWith(ids: readonly number[], header: readonly number[], at: number): boolean {
  return header.every((id, index) => ids[at + index] === id);
}

function split(ids: readonly number[]): { boundary: number; lastUserMessage: string } {
  const start = ids.lastIndexOf(MESSAGE_START);
  if (start === -1 || !startsWith(ids, ASSISTANT_HEADER, start + 1)) {
    const tagAt = ids.findLastIndex((id) => id >= TAG_HIGH_BASE && id < TAG_LOW_BASE);
    const boundary = tagAt === -1 ? ids.length : tagAt;
    return { boundary, lastUserMessage: detokenize(ids.slice(0, boundary)) };
  }
  const boundary = start + 1 + ASSISTANT_HEADER.length;
  for (let at = ids.lastIndexOf(MESSAGE_START, start - 1); at !== -1; at = at === 0 ? -1 : ids.lastIndexOf(MESSAGE_START, at - 1)) {
    if (!startsWith(ids, USER_HEADER, at + 1)) continue;
    const from = at + 1 + USER_HEADER.length;
    const end = ids.findIndex((id, index) => index >= from && (id === MESSAGE_END || id === MESSAGE_START));
    return { boundary, lastUserMessage: detokenize(ids.slice(from, end)) };
  }
  return { boundary, lastUserMessage: '' };
}
