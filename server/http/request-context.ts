/** A request as handlers see it, beyond the end of the library's own. */
import { randomUUID } from 'node:crypto'
import type { Credentials } from '../auth/authenticator.ts'
import { tokenOf } from '../auth/credentials.ts'
import type { RequestContext } from './operation-group.ts'
import type { RequestHead } from './request-head.ts'

/** Version 00 of W3C Trace Context, which ids of zeros make invalid. */
const traceparents = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
/** Ids of others, as a proxy's, are taken over where they can stand in a log as they are. */
const requestIds = /^[\w.:/+=-]{1,64}$/

export class HttpRequestContext implements RequestContext {
  readonly id: string
  readonly address: string
  /** Of the client's span, or of ours once there is one. */
  traceparent: string | null
  readonly head: RequestHead
  #listeners: (() => void)[] = []
  #isGone = false

  constructor(head: RequestHead, address: string) {
    this.head = head
    this.address = address
    const id = head.header('x-request-id')
    this.id = requestIds.test(id) ? id : randomUUID()
    const traceparent = head.header('traceparent')
    this.traceparent = traceparents.test(traceparent) ? traceparent : null
  }

  get isGone(): boolean {
    return this.#isGone
  }

  header(name: string): string | undefined {
    return this.head.has(name) ? this.head.header(name) : undefined
  }

  credentials(): Credentials {
    return { token: tokenOf({ authorization: this.head.header('authorization'), apiKey: this.head.header('x-api-key') }), address: this.address }
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
