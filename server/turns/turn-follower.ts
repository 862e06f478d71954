/**
 * Follows one turn for a reader, wherever its conversation is and however often that moves: opens it again from where the
 * reader stands, and reads the rest of a reply that has ended from the store.
 *
 * opening -> following -> (moved) opening …; closed at the end, or by `close`, and never left.
 */
import { ChatError, errorCatalogue, type ErrorCode } from '../../protocol/errors.ts'
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import type { Pace } from '../../protocol/websocket/fields.ts'
import type { ConversationService, FollowedTurn, PartsClient, TurnPosition, TurnStatus } from '../../actors/conversation-service.ts'
import { isWhole, replyStart, takePart, type ReplyPart } from './reply-position.ts'
import type { ReplyEnd, ReplyReader } from './reply-reader.ts'

/** An opening that fails is tried again for this long: longer than an owner that dies is waited for. */
const patienceMs = 20_000
const shortestPauseMs = 50
const longestPauseMs = 2_000

export interface FollowedTurnId {
  readonly userId: string
  readonly conversationId: number
  readonly turnId: string
}

export interface TurnFollowerOptions {
  readonly service: Pick<ConversationService, 'follow' | 'turn'>
  readonly turn: FollowedTurnId
  readonly reader: ReplyReader
  /** What the reader has already. */
  readonly position?: TurnPosition
  /** The stored reply, where it is known to have ended: nobody is asked for it then. */
  readonly known?: TurnStatus['reply']
  /** `whole`: the text comes at once with the end, but for what was there before. */
  readonly pace?: Pace
  /** Milliseconds that never go back. */
  readonly monotonic?: () => number
}

const retried: ReadonlySet<ErrorCode> = new Set(['moved', 'unavailable', 'draining', 'overloaded'])

export class TurnFollower implements PartsClient {
  readonly #options: TurnFollowerOptions
  readonly #monotonic: () => number
  #position: TurnPosition
  #subscription: FollowedTurn['subscription'] | null = null
  /** Counts openings: what an earlier one brings is not listened to. */
  #opening = 0
  #failingSince: number | null = null
  #failures = 0
  #timer: NodeJS.Timeout | null = null
  #closed = false

  constructor(options: TurnFollowerOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#position = options.position ?? replyStart
  }

  /** How far the reader has got. */
  get position(): TurnPosition {
    return this.#position
  }

  /** Call once. */
  start(): void {
    const { known = null } = this.#options
    if (known === null) this.#open()
    else this.#replay(known)
  }

  /** The reader is writable again. */
  pump(): void {
    this.#subscription?.pump()
  }

  /** The reader hears nothing more. */
  close(): void {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#leave()
  }

  get writable(): boolean {
    return this.#options.reader.writable
  }

  delta(turnId: string, attempt: number, offset: number, _end: number, text: string): void {
    if (turnId === this.#options.turn.turnId) this.#take({ attempt, offset, text })
  }

  event(event: ServerEvent): void {
    if (!('turn_id' in event) || event.turn_id !== this.#options.turn.turnId) return
    switch (event.type) {
      case 'turn.started':
        if (this.#take({ attempt: event.attempt, offset: event.attempt === this.#position.attempt ? this.#position.offset : 0, text: '' })) this.#options.reader.started?.(event.attempt, event.model)
        return
      case 'turn.finished':
        return this.#ended(event, finishedBy(event))
      case 'turn.failed':
        return this.#ended(event, { type: 'failed', messageId: event.message_id, attempt: event.attempt, error: event.error })
      case 'turn.queued':
      case 'turn.delta':
        return
    }
  }

  fellBehind(): void {
    this.#reopen()
  }

  #open(): void {
    const opening = (this.#opening += 1)
    this.#attempt(opening).catch((error: unknown) => {
      if (opening === this.#opening && !this.#closed) this.#failed(error)
    })
  }

  async #attempt(opening: number): Promise<void> {
    const { service, turn, pace = 'live' } = this.#options
    const isCurrent = (): boolean => opening === this.#opening && !this.#closed
    const followed = await service.follow(turn.userId, { ...turn, position: this.#position }, this, () => {
      if (isCurrent()) this.#reopen()
    })
    if (!isCurrent()) {
      followed?.subscription.close()
      return
    }
    if (followed === null) {
      const status = await service.turn(turn.userId, turn.turnId)
      if (!isCurrent()) return
      // Between its end and our look it may have been given to another owner.
      if (status.reply === null) throw new ChatError('moved')
      this.#replay(status.reply)
      return
    }
    this.#failingSince = null
    this.#failures = 0
    this.#subscription = followed.subscription
    const { attempt, offset, text, state, model } = followed.turn
    if (pace !== 'live') followed.subscription.setPace(pace)
    if (state === 'running' && model !== undefined) this.#options.reader.started?.(attempt, model)
    // The reader may close this on what it is told.
    if (this.#take({ attempt, offset, text })) this.#subscription?.start()
  }

  /** What the store has is final. */
  #replay({ message, usage, timing, cached, costUsd }: NonNullable<TurnStatus['reply']>): void {
    const { message_id: messageId, attempt = 1, content, reason, error, model = null } = message
    if (model !== null) this.#options.reader.started?.(attempt, model)
    if (!this.#take({ attempt, offset: 0, text: content })) return
    if (reason === 'failed' || reason === undefined) this.#end({ type: 'failed', messageId, attempt, error: error ?? { code: 'internal', ...errorCatalogue.internal } })
    else this.#end({ type: 'finished', messageId, attempt, reason, model, usage, timing, cached, costUsd })
  }

  /** False where the reader has been ended, or must wait for a new opening. */
  #take(part: ReplyPart): boolean {
    const { reader } = this.#options
    const taken = takePart(this.#position, part)
    if (taken.type === 'gap') {
      this.#reopen()
      return false
    }
    if (taken.type === 'restarted') {
      if (reader.restarted === undefined) {
        this.#end({ type: 'broken', error: new ChatError('reply_restarted') })
        return false
      }
      this.#position = taken.position
      reader.restarted()
      return this.#take(part)
    }
    this.#position = taken.position
    if (taken.text !== '') reader.text(taken.text, taken.position.attempt, taken.position.offset)
    return !this.#closed
  }

  #ended(event: { readonly attempt: number; readonly end: number }, end: ReplyEnd): void {
    if (isWhole(this.#position, event)) this.#end(end)
    // The end came without all of its text, or with another attempt's: the store has it.
    else this.#reopen()
  }

  #end(end: ReplyEnd): void {
    this.close()
    this.#options.reader.ended(end)
  }

  #leave(): void {
    const subscription = this.#subscription
    this.#subscription = null
    this.#opening += 1
    subscription?.close()
  }

  #reopen(): void {
    if (this.#closed) return
    this.#leave()
    // Not on the stack of who told of it, which may be about to go.
    this.#later(0)
  }

  #failed(error: unknown): void {
    this.#leave()
    const now = this.#monotonic()
    this.#failingSince ??= now
    const reason = error instanceof ChatError ? error : new ChatError('internal', undefined, { cause: error })
    if (!retried.has(reason.code) || now - this.#failingSince >= patienceMs) return this.#end({ type: 'broken', error: reason })
    this.#failures += 1
    this.#later(Math.min(longestPauseMs, shortestPauseMs * 2 ** this.#failures) * (0.5 + Math.random() / 2))
  }

  #later(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#open()
    }, ms)
  }
}

function finishedBy(event: Extract<ServerEvent, { type: 'turn.finished' }>): ReplyEnd {
  const { message_id: messageId, attempt, reason, model, usage, timing, cached, cost_usd: costUsd } = event
  return { type: 'finished', messageId, attempt, reason, model, usage, timing, cached, costUsd }
}
