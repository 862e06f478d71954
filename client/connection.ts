/**
 * A connection that comes back. One link serves; another may be dialling, to replace a link that was lost or whose
 * server drains: then the old one serves until the new one has been welcomed.
 *
 * connecting -> open -> reconnecting -> open ... -> closed. `closed` is final: by `close`, or by a close code that says
 * not to come back.
 */
import type { ChatError } from '../protocol/errors.ts'
import { mayReconnect } from '../protocol/websocket/close-codes.ts'
import type { Command, ReplyOf, ServerMessage } from '../protocol/websocket/messages.ts'
import { errorOfCloseCode } from './client-errors.ts'
import { Link, type LinkOptions, type LinkOwner } from './link.ts'
import { backoffMs, boundedWaitMs } from './waits.ts'

export type ConnectionState = 'connecting' | 'open' | 'reconnecting' | 'closed'

export interface ConnectionOwner {
  /** A link serves from now on. */
  connected(welcome: ReplyOf<'hello'>): void
  message(message: ServerMessage): void
  /** The link that served is gone, with all that was unanswered on it. */
  disconnected(): void
  /** `error`: why it closed for good; null for `close`. */
  stateChanged(state: ConnectionState, error: ChatError | null): void
  /** An error of the connection that it survives. */
  failed(error: ChatError): void
}

export interface ConnectionOptions extends LinkOptions {
  readonly backoff: { readonly baseMs: number; readonly maxMs: number }
  /** Whether the next connection may come with other credentials. */
  readonly credentialsAreRenewable: boolean
}

/** A link that served this long was a good one: the next dialling begins without delay. */
const goodLinkMs = 10_000

export class Connection implements LinkOwner {
  readonly #options: ConnectionOptions
  readonly #owner: ConnectionOwner
  #state: ConnectionState = 'connecting'
  #serving: Link | null = null
  #servingSince = 0
  #dialling: Link | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #triedNewToken = false
  #started = false

  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    this.#options = options
    this.#owner = owner
  }

  get state(): ConnectionState {
    return this.#state
  }

  start(): void {
    if (this.#started || this.#state === 'closed') return
    this.#started = true
    this.#dial()
  }

  /** Dials at once where it waits to. */
  wake(): void {
    if (this.#timer === undefined) return
    this.#dial()
  }

  /** Another link takes over from the one that serves, without a gap. */
  renew(): void {
    if (this.#serving !== null) this.#dial()
  }

  send(command: Command): boolean {
    return this.#serving?.send(command) ?? false
  }

  close(): void {
    this.#shutDown(null)
  }

  ready(link: Link, welcome: ReplyOf<'hello'>): void {
    const before = this.#serving
    this.#dialling = null
    this.#serving = link
    this.#servingSince = performance.now()
    this.#triedNewToken = false
    if (before !== null) {
      before.close()
      this.#owner.disconnected()
    }
    this.#setState('open')
    this.#owner.connected(welcome)
  }

  message(link: Link, message: ServerMessage): void {
    if (link !== this.#serving) return
    if (message.type === 'server.draining') this.#dialIn(message.reconnect_after_ms)
    else this.#owner.message(message)
  }

  closed(link: Link, code: number, error: ChatError | null): void {
    if (error !== null) this.#owner.failed(error)
    if (link === this.#serving) {
      this.#serving = null
      this.#failures = performance.now() - this.#servingSince >= goodLinkMs ? 0 : this.#failures + 1
      this.#owner.disconnected()
      if (this.#state === 'closed') return
      this.#setState('reconnecting')
    } else {
      this.#dialling = null
      this.#failures += 1
    }
    // Refused for its credentials, a client may come back once with new ones.
    const again = mayReconnect(code) || (code === 4401 && this.#options.credentialsAreRenewable && !this.#triedNewToken)
    if (code === 4401) this.#triedNewToken = true
    if (again) {
      if (this.#dialling === null) this.#dialIn(Math.max(backoffMs(this.#failures, this.#options.backoff), error?.retryAfterMs ?? 0))
    } else if (this.#serving === null) {
      this.#shutDown(error ?? errorOfCloseCode(code))
    }
  }

  #dialIn(delayMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#dial(), boundedWaitMs(delayMs))
  }

  #dial(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dialling ??= new Link(this.#options, this)
  }

  #shutDown(error: ChatError | null): void {
    if (this.#state === 'closed') return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dialling?.close()
    this.#dialling = null
    const serving = this.#serving
    this.#serving = null
    serving?.close()
    this.#state = 'closed'
    if (serving !== null) this.#owner.disconnected()
    this.#owner.stateChanged('closed', error)
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state || this.#state === 'closed') return
    this.#state = state
    this.#owner.stateChanged(state, null)
  }
}

