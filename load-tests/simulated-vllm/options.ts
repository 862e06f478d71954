/** Settings of one simulated server. */
import { MAX_REPLY_TOKENS } from './reply.ts';

export interface SimulatedVllmOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Name under which `/v1/models` serves the model. */
  readonly model: string;
  /** Prompt and reply together, in tokens. */
  readonly maxModelLen: number;
  /** Sequences that generate at once; more wait, first come first served. */
  readonly maxNumSeqs: number;
  /** Requests running and waiting together; more are answered 503. (vLLM counts the running ones too, and has no limit by default.) */
  readonly maxNumQueuedReqs: number;
  /** Tokens a second of each stream; 0: as fast as possible. */
  readonly tokensPerSecond: number;
  /** From the admission to the batch to the first token, in milliseconds. */
  readonly firstTokenMs: number;
  /** Tokens a chunk, after the first chunk, which has one. */
  readonly streamInterval: number;
  /** Length of a reply whose prompt doesn't say `[[tokens=n]]`. */
  readonly replyTokens: number;
  /** Silence on a stream after which a comment is sent, in milliseconds; 0: never. */
  readonly keepAliveMs: number;
  /** Replies with characters of several tokens, also where the prompt doesn't say `[[multibyte]]`. */
  readonly multibyte: boolean;
  /** Requests that the log keeps; the oldest are forgotten. */
  readonly requestLogSize: number;
}

export const DEFAULT_OPTIONS: SimulatedVllmOptions = {
  host: '127.0.0.1',
  port: 0,
  model: 'simulated',
  maxModelLen: 4096,
  maxNumSeqs: 256,
  maxNumQueuedReqs: 65_536,
  tokensPerSecond: 0,
  firstTokenMs: 0,
  streamInterval: 1,
  replyTokens: 50,
  keepAliveMs: 1000,
  multibyte: false,
  requestLogSize: 10_000,
};

/** Smallest and largest value of each number; those in `FRACTIONAL` need not be whole. */
const RANGES = {
  port: [0, 65_535],
  maxModelLen: [1, MAX_REPLY_TOKENS],
  maxNumSeqs: [1, 65_536],
  maxNumQueuedReqs: [1, 65_536],
  tokensPerSecond: [0, 1_000_000],
  firstTokenMs: [0, 3_600_000],
  streamInterval: [1, 1024],
  replyTokens: [0, MAX_REPLY_TOKENS],
  keepAliveMs: [0, 3_600_000],
  requestLogSize: [0, 1_000_000],
} as const satisfies Partial<Record<keyof SimulatedVllmOptions, readonly [number, number]>>;
const FRACTIONAL: readonly string[] = ['tokensPerSecond', 'firstTokenMs', 'keepAliveMs'];

/** @throws RangeError naming every setting that is out of range. */
export function completeOptions(given: Partial<SimulatedVllmOptions>): SimulatedVllmOptions {
  const options: SimulatedVllmOptions = { ...DEFAULT_OPTIONS, ...given };
  const faults = Object.entries(RANGES).flatMap(([name, [low, high]]) => {
    const value = options[name as keyof typeof RANGES];
    const whole = Number.isInteger(value) || FRACTIONAL.includes(name);
    return whole && value >= low && value <= high ? [] : [`${name} must be from ${low} to ${high}, not ${value}`];
  });
  if (options.model === '') faults.push('model must not be empty');
  if (faults.length > 0) throw new RangeError(faults.join('; '));
  return options;
}
