/** A request as handlers see it, beyond the end of the library's own. */
import { randomUUID } from 'node:crypto'
import type { Credentials } from '../auth/authenticator.ts'
import { tokenOf } from '../auth/credentials.ts'
import type { RequestContext } from './operation-group.ts'

/** Version 00 of W3C Trace Context, which ids of zeros make invalid. */
const traceparents = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

export class HttpRequestContext implements RequestContext {
  readonly id = randomUUID()
  readonly address: string
  readonly traceparent: string | null
  readonly #headers: ReadonlyMap<string, string>
  #listeners: (() => void)[] = []
  #isGone = false

  constructor(headers: ReadonlyMap<string, string>, address: string) {
    this.#headers = headers
    this.address = address
    const traceparent = headers.get('traceparent')
    this.traceparent = traceparent !== undefined && traceparents.test(traceparent) ? traceparent : null
  }

  get isGone(): boolean {
    return this.#isGone
  }

  header(name: string): string | undefined {
    return this.#headers.get(name)
  }

  credentials(): Credentials {
    return { token: tokenOf({ authorization: this.header('authorization') ?? '', apiKey: this.header('x-api-key') ?? '' }), address: this.address }
  }

  onGone(listener: () => void): void {
    if (this.#isGone) listener()
    else this.#listeners.push(listener)
  }

  gone(): void {
    this.#isGone = true
    const listeners = this.#listeners
    this.forget()
    for (const listener of listeners) listener()
  }

  /** Nobody is to hear of it any more. */
  forget(): void {
    this.#listeners = []
  }
}
