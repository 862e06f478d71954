/**
 * All connections of the process that are no WebSockets, idle ones too. The library ends one that asks for nothing within 12 s, but tells only of
 * its coming where it comes from: so that one address cannot take all places, it gets no more of them once half are taken
 * and many of the newest are its own.
 */
import type { HttpResponse, TemplatedApp } from 'uWebSockets.js'
import { addressKey } from './address-key.ts'
import type { ClientAddresses } from './client-address.ts'

/** As long as an idle connection lives, about. */
const windowMs = 10_000

export interface ConnectionsOptions {
  readonly most: number
  readonly addresses: ClientAddresses
  /** Connections that an address may open within the window while half of all places are taken. */
  readonly mostNewPerAddress: number
  readonly monotonic: () => number
}

export class Connections {
  readonly #options: ConnectionsOptions
  /** Opened within the window, by address: at most as many as there were connections. */
  readonly #opened = new Map<string, number>()
  #since = 0
  #open = 0
  #refused = 0

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** Those that became WebSockets are left out: `upgraded`. */
  get open(): number {
    return this.#open
  }

  get refused(): number {
    return this.#refused
  }

  watch(app: TemplatedApp): void {
    app.filter((res: HttpResponse, change) => {
      this.#open += Number(change) > 0 ? 1 : -1
      if (Number(change) > 0 && !this.#admits(res.getRemoteAddress(), this.#open)) {
        this.#refused += 1
        // Before anything was asked there is nothing to answer; this calls back, and takes it off the count.
        res.close()
      }
    })
  }

  /** It has become a WebSocket, of whose end the library does not tell here. */
  upgraded(): void {
    this.#open -= 1
  }

  #admits(remote: ArrayBuffer, open: number): boolean {
    const { most, mostNewPerAddress, addresses, monotonic } = this.#options
    const address = addressKey(remote)
    const now = monotonic()
    if (now - this.#since >= windowMs) {
      this.#since = now
      this.#opened.clear()
    }
    const opened = (this.#opened.get(address) ?? 0) + 1
    this.#opened.set(address, opened)
    return open <= most && (open <= most / 2 || opened <= mostNewPerAddress || addresses.isProxy(remote))
  }
}
