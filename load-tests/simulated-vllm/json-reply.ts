/** An answer in one piece. */
import type { HttpResponse } from 'uWebSockets.js';

import type { VllmError } from './error-bodies.ts';
import { endWithBody } from './http-answers.ts';
import { SYSTEM_FINGERPRINT, type FinishReason, type ReplyIdentity, type ReplyWriter } from './reply-writer.ts';

export class JsonReply implements ReplyWriter {
  readonly #res: HttpResponse;
  readonly #identity: ReplyIdentity;
  readonly #ids: number[] = [];
  #text = '';
  #finishReason: FinishReason | null = null;
  #stopReason: number | string | null = null;

  constructor(res: HttpResponse, identity: ReplyIdentity) {
    this.#res = res;
    this.#identity = identity;
  }

  cork(write: () => void): void {
    this.#res.cork(write);
  }

  chunk(ids: readonly number[], text: string, finishReason: FinishReason | null, stopReason: number | string | null): boolean {
    this.#ids.push(...ids);
    this.#text += text;
    this.#finishReason = finishReason;
    this.#stopReason = stopReason;
    return true;
  }

  end(sent: number): void {
    const { id, created, model, request, withoutTokenIds } = this.#identity;
    const withIds = request.returnTokenIds && !withoutTokenIds;
    const tokenIds = withIds ? this.#ids : null;
    const promptIds = withIds ? request.promptIds : null;
    const prompt = request.promptIds.length;
    const end = { logprobs: null, finish_reason: this.#finishReason, stop_reason: this.#stopReason, token_ids: tokenIds };
    const common = {
      service_tier: null,
      system_fingerprint: SYSTEM_FINGERPRINT,
      usage: { prompt_tokens: prompt, total_tokens: prompt + sent, completion_tokens: sent, prompt_tokens_details: null, completion_tokens_details: null },
    };
    const message = {
      role: 'assistant', content: this.#text, refusal: null, annotations: null, audio: null, function_call: null, reasoning: null,
    };
    const body = request.kind === 'chat'
      ? {
        id, object: 'chat.completion', created, model, choices: [{ index: 0, message, ...end, routed_experts: null }], ...common,
        prompt_logprobs: null, prompt_token_ids: promptIds, prompt_text: null, kv_transfer_params: null, ec_transfer_params: null, metrics: null,
      }
      : {
        id, object: 'text_completion', created, model,
        choices: [{ index: 0, text: this.#text, ...end, prompt_logprobs: null, prompt_token_ids: promptIds, routed_experts: null }],
        ...common, kv_transfer_params: null, ec_transfer_params: null, metrics: null,
      };
    endWithBody(this.#res, 200, 'application/json', JSON.stringify(body));
  }

  /** Only streams have an end without a finish reason. */
  endWithoutFinish(): void {
    this.#res.close();
  }

  fail(error: VllmError): void {
    endWithBody(this.#res, error.status, 'application/json', error.body());
  }

  keepAlive(): void {
    // There are no comments in JSON.
  }

  halfChunk(): void {
    // The body comes in one piece or not at all.
  }

  close(): void {
    this.#res.close();
  }

  onWritable(): void {
    // The body is written in one piece, which the HTTP server buffers.
  }
}
