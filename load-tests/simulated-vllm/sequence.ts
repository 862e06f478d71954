/** One generation: when its next token is due, what it is, and where it ends. */
import type { FaultPlan } from './faults.ts';
import type { GenerationRequest } from './generation-request.ts';
import { engineFailed } from './error-bodies.ts';
import type { SimulatedVllmOptions } from './options.ts';
import { replyTokenId, replyTokenText } from './reply.ts';
import type { FinishReason, ReplyWriter } from './reply-writer.ts';
import type { MutableRecord, RequestState } from './request-log.ts';
import { MESSAGE_END } from './vocabulary.ts';

/**
 * Chunks that one stream may send in one piece, before the others have their turn. uWebSockets.js corks no
 * more than 16 KiB: past that, every further write of the same cork is a system call of its own (measured:
 * 4.9 CPU seconds per million tokens in pieces of 256 chunks, 0.8 in pieces of 48).
 */
const BURST = 48;

/** Tokens that a request generates unless a stop string ends it: to the end of the reply, end-of-sequence token included, or to `max_tokens`. */
export function plannedSteps({ plan, maxTokens, ignoreEos, minTokens }: GenerationRequest): number {
  return ignoreEos ? maxTokens : Math.min(maxTokens, textSteps({ plan, minTokens }) + 1);
}

function textSteps({ plan, minTokens }: Pick<GenerationRequest, 'plan' | 'minTokens'>): number {
  return plan.ended ? 0 : Math.max(plan.length - plan.resumedAt, minTokens, 0);
}

/**
 * States: waiting (`nextAt` infinite) → generating (`admit`) → over (`over` true, by its own end, a fault
 * or `abort`). Generating it may pause: `blocked` while the client doesn't keep up, for good when a fault
 * stalls it; `nextAt` is infinite then.
 */
export class Sequence {
  readonly request: GenerationRequest;
  readonly record: MutableRecord;
  readonly arrivedAt: number;
  /** When it has something to do, on the clock of `performance.now`. */
  nextAt = Number.POSITIVE_INFINITY;
  admittedAt = 0;
  firstTokenAt = 0;
  over = false;

  readonly #writer: ReplyWriter;
  readonly #faults: FaultPlan;
  readonly #onOver: (sequence: Sequence, state: RequestState) => void;
  readonly #period: number;
  readonly #firstTokenMs: number;
  readonly #textSteps: number;
  readonly #steps: number;
  readonly #holdBack: number;
  readonly #ids: number[] = [];
  #step = 0;
  #firstAt = 0;
  #now = 0;
  #unsent = '';
  #lastWriteAt: number;
  #blocked = false;
  #cut = false;
  #stalled: 'silent' | 'keep_alive' | undefined;

  constructor(
    request: GenerationRequest,
    record: MutableRecord,
    writer: ReplyWriter,
    faults: FaultPlan,
    options: SimulatedVllmOptions,
    onOver: (sequence: Sequence, state: RequestState) => void,
  ) {
    this.request = request;
    this.record = record;
    this.#writer = writer;
    this.#faults = faults;
    this.#onOver = onOver;
    this.#period = options.tokensPerSecond === 0 ? 0 : 1000 / options.tokensPerSecond;
    this.#firstTokenMs = options.firstTokenMs;
    this.#textSteps = request.ignoreEos ? Number.POSITIVE_INFINITY : textSteps(request);
    this.#steps = plannedSteps(request);
    // A stop string may begin in text that is already there: as much of it as could is not sent yet.
    this.#holdBack = Math.max(1, ...request.stop.map((stop) => stop.length)) - 1;
    this.arrivedAt = performance.now();
    this.#lastWriteAt = this.arrivedAt;
    writer.onWritable(() => this.#resume());
  }

  /** Tokens that it holds in the simulated KV cache. */
  get tokens(): number {
    return this.request.promptIds.length + this.#step;
  }

  admit(now: number): void {
    this.admittedAt = now;
    this.#firstAt = now + this.#firstTokenMs;
    this.nextAt = this.#firstAt;
    this.record.state = 'running';
  }

  /** Sends what is due. */
  advance(now: number): void {
    this.#now = now;
    this.#writer.cork(this.#emit);
    if (this.#cut) this.#writer.close();
  }

  /** The client has gone, or the server closes. */
  abort(): void {
    this.#end('aborted');
  }

  keepAlive(now: number, interval: number): void {
    if (this.#blocked || this.#stalled === 'silent' || now - this.#lastWriteAt < interval) return;
    this.#lastWriteAt = now;
    this.#writer.cork(() => this.#writer.keepAlive());
  }

  /**
   * The client reads again. uWebSockets.js sends what it holds back only when something more is written
   * here: a comment if nothing is due.
   */
  #resume(): void {
    if (this.over || !this.#blocked) return;
    this.#blocked = false;
    const before = this.#step;
    this.advance(performance.now());
    if (!this.over && this.#step === before) this.#writer.cork(() => this.#writer.keepAlive());
  }

  #dueAt(step: number): number {
    return this.#firstAt + step * this.#period;
  }

  readonly #emit = (): void => {
    for (let budget = BURST; budget > 0; budget--) {
      if (this.#dueAt(this.#step) > this.#now) break;
      if (this.#step === this.#faults.midReply?.afterSteps) return this.#breakOff(this.#faults.midReply.fault);
      this.#takeStep();
      if (this.over) return;
      if (this.#blocked) {
        this.nextAt = Number.POSITIVE_INFINITY;
        return;
      }
    }
    this.nextAt = this.#dueAt(this.#step);
  };

  #takeStep(): void {
    const { plan, stopTokenIds, minTokens, streamInterval } = this.request;
    const position = plan.resumedAt + this.#step;
    const endOfSequence = this.#step >= this.#textSteps;
    const id = endOfSequence ? MESSAGE_END : replyTokenId(plan.tag, position, plan.form);
    this.#step += 1;
    this.#ids.push(id);
    if (this.#step === 1) this.firstTokenAt = this.#now;

    let finishReason: FinishReason | null = null;
    let stopReason: number | string | null = null;
    if (endOfSequence) {
      finishReason = 'stop';
    } else if (this.#step >= minTokens && stopTokenIds.has(id)) {
      finishReason = 'stop';
      stopReason = id;
    } else {
      this.#unsent += replyTokenText(plan.tag, position, plan.form);
      stopReason = this.#step >= minTokens ? this.#cutAtStopString() : null;
      if (stopReason !== null) finishReason = 'stop';
      else if (this.#step === this.#steps) finishReason = 'length';
    }

    const breaksNext = this.#step === this.#faults.midReply?.afterSteps;
    if (finishReason !== null) this.#finish(finishReason, stopReason);
    else if (this.#step === 1 || breaksNext || this.#ids.length >= streamInterval) this.#send(null, null);
  }

  /** The stop string that the text now holds, if any; the text is cut before it. */
  #cutAtStopString(): string | null {
    let found: { at: number; stop: string } | undefined;
    for (const stop of this.request.stop) {
      const at = this.#unsent.indexOf(stop);
      if (at !== -1 && (found === undefined || at < found.at)) found = { at, stop };
    }
    if (found === undefined) return null;
    this.#unsent = this.#unsent.slice(0, found.at);
    return found.stop;
  }

  #send(finishReason: FinishReason | null, stopReason: number | string | null): void {
    let length = finishReason === null ? Math.max(0, this.#unsent.length - this.#holdBack) : this.#unsent.length;
    // Not inside a surrogate pair.
    if (length > 0 && length < this.#unsent.length && (this.#unsent.charCodeAt(length) & 0xfc00) === 0xdc00) length -= 1;
    const text = this.#unsent.slice(0, length);
    this.#unsent = this.#unsent.slice(length);
    this.record.tokensSent = this.#step;
    this.#lastWriteAt = this.#now;
    this.#blocked = !this.#writer.chunk(this.#ids, text, finishReason, stopReason, this.#step);
    this.#ids.length = 0;
  }

  #finish(finishReason: FinishReason, stopReason: number | string | null): void {
    if (!this.#faults.withoutFinish) {
      this.#send(finishReason, stopReason);
      this.#writer.end(this.#step);
      return this.#end(finishReason);
    }
    // The end-of-sequence token has no text: its chunk would have been for the finish reason alone.
    if (this.#ids.at(-1) === MESSAGE_END) this.#ids.pop();
    this.#sendRest();
    this.#writer.endWithoutFinish();
    this.#end('fault');
  }

  /** Sends what is left of text and ids in a chunk without a finish reason. */
  #sendRest(): void {
    if (this.#ids.length === 0 && this.#unsent === '') return;
    this.#writer.chunk(this.#ids, this.#unsent, null, null, this.#step);
    this.record.tokensSent = this.#step;
  }

  #breakOff(fault: NonNullable<FaultPlan['midReply']>['fault']): void {
    switch (fault.kind) {
      case 'stall':
        this.#stalled = fault.keepAlive === true ? 'keep_alive' : 'silent';
        this.nextAt = Number.POSITIVE_INFINITY;
        return;
      case 'cut':
        if (fault.midFrame === true) this.#writer.halfChunk();
        this.#cut = true;
        return this.#end('fault');
      case 'error_event':
        this.#writer.fail(engineFailed());
        return this.#end('fault');
      case 'done_without_finish':
        this.#writer.endWithoutFinish();
        return this.#end('fault');
    }
  }

  #end(state: RequestState): void {
    if (this.over) return;
    this.over = true;
    this.nextAt = Number.POSITIVE_INFINITY;
    this.#onOver(this, state);
  }
}
