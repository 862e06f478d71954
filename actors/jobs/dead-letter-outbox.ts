/**
 * Sends dead letters that are committed in Postgres to where operators find them, at least once. One that cannot be sent
 * now stays in Postgres, and whichever process looks next sends it: nothing waits for it, and no crash loses it.
 */
import type { DeadLetter, DeadLetters } from '../../platform/bus/dead-letters.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'

const everyMs = 5_000
/** Younger letters are on their way: the process that gave the turn up sends them. */
const minimumAgeMs = 5_000
/** Letters on their way at once; the others are found again. */
const mostSending = 256

export interface DeadLetterOutboxOptions {
  readonly store: Pick<ConversationStore, 'unsentDeadLetters' | 'deadLetterSent'>
  readonly deadLetters: Pick<DeadLetters, 'add'>
  readonly logger: Logger
  readonly now: () => number
}

export class DeadLetterOutbox {
  readonly #options: DeadLetterOutboxOptions
  readonly #sending = new Map<string, Promise<void>>()
  #timer: NodeJS.Timeout | null = null
  #looking: Promise<void> | null = null
  /** Told once, until a letter is sent again. */
  #failing = false

  constructor(options: DeadLetterOutboxOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#timer !== null) return
    this.#timer = setInterval(() => void this.sendAll(), everyMs)
    void this.sendAll()
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    await this.#looking
    await Promise.all(this.#sending.values())
  }

  send(letter: DeadLetter): void {
    if (this.#sending.size < mostSending && !this.#sending.has(letter.turnId)) this.#sending.set(letter.turnId, this.#send(letter))
  }

  /** What any process has left unsent. Concurrent callers share one look. */
  sendAll(): Promise<void> {
    this.#looking ??= this.#sendAll().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #sendAll(): Promise<void> {
    const { store, logger, now } = this.#options
    try {
      for (const letter of await store.unsentDeadLetters({ failedBefore: now() - minimumAgeMs, limit: mostSending })) this.send(letter)
    } catch (error) {
      logger.debug({ err: error }, 'dead letters were not looked for')
    }
  }

  async #send(letter: DeadLetter): Promise<void> {
    const { store, deadLetters, logger } = this.#options
    try {
      await deadLetters.add(letter)
      await store.deadLetterSent(letter.turnId)
      this.#failing = false
      logger.warn({ turn: letter.turnId, conversation: letter.conversationId, reason: letter.reason, run: letter.run }, 'a turn was given up')
    } catch (error) {
      logger[this.#failing ? 'debug' : 'warn']({ err: error, turn: letter.turnId }, 'a dead letter is not sent yet')
      this.#failing = true
    } finally {
      this.#sending.delete(letter.turnId)
    }
  }
}
