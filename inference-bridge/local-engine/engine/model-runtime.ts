import type { Vocabulary } from './vocabulary.ts'

/** What the engine needs of a loaded model. The one implementation is `llama-runtime.ts`. */
export interface ModelRuntime {
  readonly vocabulary: Vocabulary
  /** The most tokens of a prompt and its reply together. */
  readonly maxModelLen: number
  /** The token that ends a reply by the model's own choice. */
  readonly eosId: number
  /** The token that the tokenizer puts before every text, where it does. */
  readonly bosId: number | null
  isEndOfGeneration(id: number): boolean
  /** `markers`: whether the names of control tokens in `text` become those tokens. */
  tokenize(text: string, markers: boolean): number[]
  readonly sequences: readonly Sequence[]
  close(): Promise<void>
}

/** One stream of the model's batch. It serves one generation at a time. */
export interface Sequence {
  /** Tokens whose attention state it still holds from its last generation: a prompt that begins with them starts sooner. */
  readonly cachedIds: readonly number[]
  /**
   * Yields tokens until the consumer stops. End-of-generation tokens are yielded too. `signal` also ends the reading of
   * the prompt, at the next piece of it.
   */
  generate(promptIds: readonly number[], sampling: Sampling, signal: AbortSignal): AsyncGenerator<number, void, undefined>
}

export interface Sampling {
  /** 0: always the likeliest token. */
  readonly temperature: number
  readonly topP: number
  /** 0: no limit. */
  readonly topK: number
  /** An unsigned integer of 32 bits. */
  readonly seed: number
}
