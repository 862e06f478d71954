/** A streamed answer: one event a chunk, in the field order that the schema-driven serializer of vLLM gives. */
import type { HttpResponse } from 'uWebSockets.js';

import type { VllmError } from './error-bodies.ts';
import { COMMON_HEADERS } from './http-answers.ts';
import { SYSTEM_FINGERPRINT, type FinishReason, type ReplyIdentity, type ReplyWriter } from './reply-writer.ts';

const KEEP_ALIVE = ': keep-alive\n\n';
const DONE = 'data: [DONE]\n\n';

export class SseReply implements ReplyWriter {
  readonly #res: HttpResponse;
  readonly #identity: ReplyIdentity;
  readonly #chat: boolean;
  /** Everything of an event that comes before its choices. */
  readonly #head: string;
  readonly #withIds: boolean;
  #headersSent = false;
  #roleSent = false;

  constructor(res: HttpResponse, identity: ReplyIdentity) {
    this.#res = res;
    this.#identity = identity;
    this.#chat = identity.request.kind === 'chat';
    const object = this.#chat ? 'chat.completion.chunk' : 'text_completion';
    this.#head = `data: {"id":${JSON.stringify(identity.id)},"object":"${object}","created":${identity.created},"model":${JSON.stringify(identity.model)},"choices":[`;
    this.#withIds = identity.request.returnTokenIds && !identity.withoutTokenIds;
  }

  cork(write: () => void): void {
    this.#res.cork(write);
  }

  onWritable(resume: () => void): void {
    this.#res.onWritable(() => {
      resume();
      return true;
    });
  }

  /** vLLM sends the headers at once; uWebSockets.js can't without a first piece of the body, so they come with that. */
  #write(bytes: string): boolean {
    if (!this.#headersSent) {
      this.#headersSent = true;
      for (const [name, value] of COMMON_HEADERS) this.#res.writeHeader(name, value);
      this.#res.writeHeader('content-type', 'text/event-stream; charset=utf-8');
    }
    return this.#res.write(bytes);
  }

  #promptIds(): string {
    return this.#withIds ? `[${this.#identity.request.promptIds.join(',')}]` : 'null';
  }

  /** Only chat spells out the missing details, and only in chunks that aren't the last. */
  #usage(sent: number, details: boolean): string {
    const prompt = this.#identity.request.promptIds.length;
    return `,"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + sent},"completion_tokens":${sent}${details ? ',"completion_tokens_details":null' : ''}}`;
  }

  #continuousUsage(sent: number): string {
    return this.#identity.request.continuousUsage ? this.#usage(sent, this.#chat) : '';
  }

  /** The first event of a chat brings the role, and the prompt's ids. */
  #roleEvent(): string {
    return `${this.#head}{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]`
      + `${this.#continuousUsage(0)},"prompt_token_ids":${this.#promptIds()},"prompt_text":null}\n\n`;
  }

  #chunkEvent(ids: readonly number[], text: string, finishReason: FinishReason | null, stopReason: number | string | null, sent: number): string {
    const content = JSON.stringify(text);
    const reason = finishReason === null ? 'null' : `"${finishReason}"`;
    const tokenIds = this.#withIds ? `[${ids.length === 1 ? ids[0] : ids.join(',')}]` : 'null';
    const choice = this.#chat
      ? `{"index":0,"delta":{"content":${content}},"logprobs":null,"finish_reason":${reason}${finishReason === null ? '' : `,"stop_reason":${JSON.stringify(stopReason)}`}`
      : `{"index":0,"text":${content},"logprobs":null,"finish_reason":${reason},"stop_reason":${JSON.stringify(stopReason)},"prompt_token_ids":${
        sent === ids.length ? this.#promptIds() : 'null'}`;
    const last = finishReason !== null && !this.#identity.request.includeUsage;
    return `${this.#head}${choice},"token_ids":${tokenIds}}]${this.#continuousUsage(sent)}${last ? `,"system_fingerprint":"${SYSTEM_FINGERPRINT}"` : ''}}\n\n`;
  }

  chunk(ids: readonly number[], text: string, finishReason: FinishReason | null, stopReason: number | string | null, sent: number): boolean {
    if (this.#chat && !this.#roleSent) this.#write(this.#roleEvent());
    this.#roleSent = true;
    return this.#write(this.#chunkEvent(ids, text, finishReason, stopReason, sent));
  }

  end(sent: number): void {
    if (this.#identity.request.includeUsage) {
      this.#write(`${this.#head}]${this.#usage(sent, false)},"system_fingerprint":"${SYSTEM_FINGERPRINT}"}\n\n`);
    }
    this.endWithoutFinish();
  }

  endWithoutFinish(): void {
    this.#write(DONE);
    this.#res.end();
  }

  fail(error: VllmError): void {
    this.#write(error.event());
    this.endWithoutFinish();
  }

  keepAlive(): void {
    this.#write(KEEP_ALIVE);
  }

  halfChunk(): void {
    const event = this.#roleSent || !this.#chat ? this.#chunkEvent([], ' ', null, null, 0) : this.#roleEvent();
    this.#write(event.slice(0, event.length >> 1));
  }

  close(): void {
    this.#res.close();
  }
}
