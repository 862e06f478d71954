/**
 * Settles pairs in doubt (see Generation) by asking the engine what the newest ids say. vLLM sends several tokens at
 * once under load, or with speculative decoding; what is learnt of a token is kept, so that it is asked once a model.
 */
import type { Generation } from '../generation/generation.ts'
import type { WholeTokens } from '../generation/whole-tokens.ts'
import type { EngineClient } from '../vllm/client.ts'
import { EngineFailure } from '../vllm/failure.ts'

/** A character has four bytes at most, and a token one at least: no more than three ids begin it. */
const mostUnfinished = 3
/** Ids before those, so that the first characters decoded may be cut without harm. */
const contextIds = 5
const unknownCharacter = '\ufffd'

export class TokenDoubts {
  readonly #generation: Generation
  readonly #whole: WholeTokens
  readonly #ask: (ids: readonly number[]) => Promise<string | null>
  readonly #signal: AbortSignal
  readonly #onSettled: () => void
  #asking = false

  /** For one stream: `signal` aborts when that ends, and then nothing is settled any more. */
  constructor(generation: Generation, whole: WholeTokens, client: EngineClient, model: string, signal: AbortSignal, onSettled: () => void) {
    this.#generation = generation
    this.#whole = whole
    this.#ask = (ids) => client.detokenize(model, ids, signal)
    this.#signal = signal
    this.#onSettled = onSettled
  }

  /** Call after each chunk. One question is under way at a time. */
  look(): void {
    if (this.#asking || this.#generation.doubt === null) return
    this.#asking = true
    void this.#settle()
  }

  async #settle(): Promise<void> {
    try {
      for (let doubt = this.#generation.doubt; doubt !== null; doubt = this.#generation.doubt) {
        const unfinished = await this.#unfinished(this.#generation.ids.list(doubt.ids - contextIds - mostUnfinished, doubt.ids))
        if (unfinished === null || this.#signal.aborted) break
        this.#generation.settle(doubt, unfinished)
        this.#onSettled()
        if (this.#generation.doubt === doubt) break
      }
    } catch (error) {
      // Then the text waits for the next pair, or for the end of the reply.
      if (!(error instanceof EngineFailure)) throw error
    } finally {
      this.#asking = false
    }
  }

  /** How many of the last ids begin a character that is not complete; null where it cannot be told. */
  async #unfinished(tail: readonly number[]): Promise<number | null> {
    const last = tail[tail.length - 1]
    if (last === undefined) return null
    if (this.#whole.get(last) === undefined) {
      const alone = await this.#ask([last])
      if (alone === null) return null
      this.#whole.learn(last, !alone.includes(unknownCharacter))
    }
    if (this.#whole.get(last) === true) return 0
    for (let unfinished = 0; unfinished <= mostUnfinished && unfinished < tail.length; unfinished++) {
      const text = await this.#ask(tail.slice(0, tail.length - unfinished))
      if (text === null) return null
      if (!text.endsWith(unknownCharacter)) return unfinished
    }
    return null
  }
}
