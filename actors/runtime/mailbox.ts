/**
 * A bounded mailbox: tasks run one at a time, in the order in which they came. A task that waits longer than it wants
 * to is refused before it has begun; one that has begun is never cut off.
 */
import { ChatError, type ErrorCode } from '../../protocol/errors.ts'

interface Entry {
  readonly run: () => Promise<void>
  readonly refuse: (error: ChatError) => void
  timer: NodeJS.Timeout | null
}

export class Mailbox {
  readonly #capacity: number
  #waiting: Entry[] = []
  #draining: Promise<void> | null = null
  #closed: ErrorCode | null = null

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get idle(): boolean {
    return this.#draining === null
  }

  /** Something waits for the task that runs. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Refuses what comes now. */
  get full(): boolean {
    return this.#waiting.length >= this.#capacity
  }

  /**
   * Resolves with the task's result. Rejects with ChatError `overloaded` where the mailbox is full, `unavailable` after
   * `patienceMs` of waiting, and with a ChatError of the code that `close` was given.
   */
  run<T>(task: () => Promise<T>, patienceMs?: number): Promise<T> {
    if (this.#closed !== null) return Promise.reject(new ChatError(this.#closed))
    if (this.full) return Promise.reject(new ChatError('overloaded', 'Too many commands wait for this conversation.'))
    return new Promise<T>((resolve, reject) => {
      const entry: Entry = {
        run: () => task().then(resolve, reject),
        refuse: reject,
        timer: null,
      }
      if (patienceMs !== undefined && this.#draining !== null) {
        entry.timer = setTimeout(() => {
          const index = this.#waiting.indexOf(entry)
          if (index < 0) return
          this.#waiting.splice(index, 1)
          reject(new ChatError('unavailable'))
        }, patienceMs)
      }
      this.#waiting.push(entry)
      this.#draining ??= this.#drain()
    })
  }

  /** Refuses what waits and what comes. Resolves once the task that runs is done. */
  async close(code: ErrorCode): Promise<void> {
    this.#closed ??= code
    for (const entry of this.#waiting.splice(0)) {
      if (entry.timer !== null) clearTimeout(entry.timer)
      entry.refuse(new ChatError(code))
    }
    await this.#draining
  }

  async #drain(): Promise<void> {
    for (let entry = this.#waiting.shift(); entry !== undefined; entry = this.#waiting.shift()) {
      if (entry.timer !== null) clearTimeout(entry.timer)
      await entry.run()
    }
    // In the same turn of the event loop as the last look at the queue: what comes next starts a drain of its own.
    this.#draining = null
    // An array keeps the room that it once grew to, and most mailboxes rest.
    this.#waiting = []
  }
}
