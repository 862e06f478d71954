/**
 * Commands and their one answer each. A command stays here until it is answered, however often the connection is lost
 * meanwhile: on the next one it is sent again, in the order in which it was asked. So only commands that may safely be
 * carried out twice belong here, or those marked as bound to their connection.
 */
import { ChatError, type ErrorCode } from '../protocol/errors.ts'
import type { Command, Reply, ReplyOf } from '../protocol/websocket/messages.ts'
import { ServerError } from './client-errors.ts'
import { backoffMs, boundedWaitMs } from './waits.ts'

/** The connection that the command belonged to is gone. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError'
}

export interface RequestOptions {
  /** Wait until this conversation is open on the connection. */
  readonly within?: number
  /** Means nothing on another connection: fails with ConnectionLostError instead of being sent again. */
  readonly bound?: boolean
  /** It was refused for now, and is sent again after so many milliseconds. */
  readonly onHeld?: (error: ChatError, waitMs: number) => void
}

interface Request {
  readonly command: Command
  readonly options: RequestOptions
  /** Called at once when the answer is read, before the next message is: order matters between answers and events. */
  readonly answered: (reply: Reply) => void
  readonly failed: (error: Error) => void
  sent: boolean
  refusals: number
  /** Runs while a refused command waits to be sent again. */
  retry: ReturnType<typeof setTimeout> | undefined
}

/** Commands kept at most. Beyond it a new one fails on the spot. */
const requestsBound = 512
/** Commands on their way at most, where the server allows as many; round trips pace the rest. */
const largestWindow = 16
/** Times a command that was refused for now is sent again before its error is told. */
const retries = 4
/** Nobody can tell how long that is: the user is to decide. */
const lastsAsLongAsReplies: ReadonlySet<string> = new Set<ErrorCode>(['busy', 'too_many_turns'])

export class Requests {
  readonly #backoff: { readonly baseMs: number; readonly maxMs: number }
  readonly #requests = new Map<number, Request>()
  readonly #open = new Set<number>()
  #send: ((command: Command) => boolean) | null = null
  #window = largestWindow
  #onTheWay = 0
  #lastRef = 0
  #closed: Error | null = null

  constructor(backoff: { readonly baseMs: number; readonly maxMs: number }) {
    this.#backoff = backoff
  }

  ask<C extends Command>(command: C, options: RequestOptions, answered: (reply: ReplyOf<C['type']>) => void, failed: (error: Error) => void): void {
    if (this.#closed !== null) return failed(this.#closed)
    if (this.#requests.size >= requestsBound) return failed(new ChatError('too_many_commands'))
    if (options.bound === true && this.#send === null) return failed(new ConnectionLostError())
    const ref = ++this.#lastRef
    this.#requests.set(ref, { command: { ...command, ref }, options, answered: answered as (reply: Reply) => void, failed, sent: false, refusals: 0, retry: undefined })
    this.#pump()
  }

  request<C extends Command>(command: C, options: RequestOptions = {}): Promise<ReplyOf<C['type']>> {
    return new Promise((resolve, reject) => this.ask(command, options, resolve, reject))
  }

  /** `allowed`: unanswered commands that the server allows, of which pings need some. */
  connected(send: (command: Command) => boolean, allowed: number): void {
    this.#send = send
    this.#window = Math.max(1, Math.min(largestWindow, allowed - 2))
    this.#pump()
  }

  disconnected(): void {
    this.#send = null
    this.#open.clear()
    this.#onTheWay = 0
    for (const [ref, request] of this.#requests) {
      request.sent = false
      if (request.options.bound === true) this.#drop(ref, request).failed(new ConnectionLostError())
    }
  }

  /** From now on commands within this conversation are sent. */
  conversationOpened(conversationId: number): void {
    this.#open.add(conversationId)
    this.#pump()
  }

  conversationClosed(conversationId: number): void {
    this.#open.delete(conversationId)
  }

  /** Fails what waits within this conversation. */
  abandon(conversationId: number, error: Error): void {
    for (const [ref, request] of this.#requests) if (request.options.within === conversationId) this.#drop(ref, request).failed(error)
    this.#pump()
  }

  /** True if the message answers a command. */
  receive(message: { readonly type: string; readonly ref?: string | number }): boolean {
    if (typeof message.ref !== 'number') return false
    const request = this.#requests.get(message.ref)
    // An answer to what was given up meanwhile answers a command all the same.
    if (request === undefined || !request.sent) return true
    const reply = message as Reply
    if (reply.type === 'error') this.#refused(message.ref, request, new ServerError(reply))
    else this.#drop(message.ref, request).answered(reply)
    this.#pump()
    return true
  }

  /** Fails everything, now and from now on. */
  close(error: Error): void {
    this.#closed = error
    this.#send = null
    for (const [ref, request] of this.#requests) this.#drop(ref, request).failed(error)
  }

  #refused(ref: number, request: Request, error: ServerError): void {
    if (!error.definition.retryable || lastsAsLongAsReplies.has(error.code) || request.refusals === retries) return this.#drop(ref, request).failed(error)
    request.refusals += 1
    this.#onTheWay -= 1
    request.sent = false
    const waitMs = boundedWaitMs(error.retryAfterMs ?? backoffMs(request.refusals, this.#backoff))
    request.retry = setTimeout(() => {
      request.retry = undefined
      this.#pump()
    }, waitMs)
    request.options.onHeld?.(error, waitMs)
  }

  #drop(ref: number, request: Request): Request {
    clearTimeout(request.retry)
    if (request.sent) this.#onTheWay -= 1
    this.#requests.delete(ref)
    return request
  }

  #pump(): void {
    for (const request of this.#requests.values()) {
      if (this.#send === null || this.#onTheWay >= this.#window) return
      const { within } = request.options
      if (request.sent || request.retry !== undefined || (within !== undefined && !this.#open.has(within))) continue
      // Where it cannot be sent the connection is about to be reported lost.
      if (!this.#send(request.command)) return
      request.sent = true
      this.#onTheWay += 1
    }
  }
}
