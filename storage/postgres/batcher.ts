/** Gathers calls into batches, one batch at a time; calls that come meanwhile make the next. */
import { ChatError } from '../../protocol/errors.ts'
import { asChatError } from './faults.ts'

const maxBatch = 512
/** Calls that wait; more are refused. */
const capacity = 16_384

interface Call<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

export interface Keyed {
  readonly conversationId: number
}

export class Batcher<Item extends Keyed, Result> {
  readonly #perform: (items: readonly Item[]) => Promise<readonly Result[]>
  readonly #waiting = new Set<Call<Item, Result>>()
  #running: Promise<void> | null = null
  #stopped = false

  /** `perform` gets items of different conversations, and gives results in their order. */
  constructor(perform: (items: readonly Item[]) => Promise<readonly Result[]>) {
    this.#perform = perform
  }

  /** Rejects with ChatError `unavailable` where the batch fails, where too many wait, and after stop. */
  call(item: Item): Promise<Result> {
    if (this.#stopped || this.#waiting.size >= capacity) return Promise.reject(new ChatError('unavailable'))
    return new Promise((resolve, reject) => {
      this.#waiting.add({ item, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Performs what waits still. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.size > 0) {
      const batch = this.#next()
      try {
        const results = await this.#perform(batch.map(({ item }) => item))
        for (const [index, call] of batch.entries()) call.resolve(results[index] as Result)
      } catch (error) {
        for (const call of batch) call.reject(asChatError(error))
      }
    }
    this.#running = null
  }

  #next(): Call<Item, Result>[] {
    const batch: Call<Item, Result>[] = []
    const conversations = new Set<number>()
    for (const call of this.#waiting) {
      if (batch.length === maxBatch) break
      if (conversations.has(call.item.conversationId)) continue
      conversations.add(call.item.conversationId)
      this.#waiting.delete(call)
      batch.push(call)
    }
    return batch
  }
}
