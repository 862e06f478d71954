/** Turns the steps of a generation into the bytes of an answer: one implementation streams, the other collects. */
import type { VllmError } from './error-bodies.ts';
import type { GenerationRequest } from './generation-request.ts';

export type FinishReason = 'stop' | 'length';

/** What all bytes of one answer have in common. */
export interface ReplyIdentity {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly request: GenerationRequest;
  /** Ids are left out although they were asked for. */
  readonly withoutTokenIds: boolean;
}

/** After `end`, `endWithoutFinish`, `fail` or `close` nothing may be called any more. */
export interface ReplyWriter {
  /** Runs `write`, and sends what it wrote in one piece. */
  cork(write: () => void): void;
  /**
   * Tokens and the text that they add, which may be empty. `sent` counts the tokens of this request, these
   * included. False: the client doesn't keep up, and nothing more may be written until the next `onWritable`.
   */
  chunk(ids: readonly number[], text: string, finishReason: FinishReason | null, stopReason: number | string | null, sent: number): boolean;
  end(sent: number): void;
  endWithoutFinish(): void;
  fail(error: VllmError): void;
  keepAlive(): void;
  /** Writes the first half of an event. */
  halfChunk(): void;
  /** Closes the connection. Not to be called inside `cork`: what was written there would be lost. */
  close(): void;
  onWritable(resume: () => void): void;
}

export const SYSTEM_FINGERPRINT = 'vllm-0.32.0-51b0a7ed';
