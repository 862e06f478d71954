/**
 * Where jobs come that were asked for. A pull request that was answered to its end leaves its inbox to the next one:
 * subscribing anew for each would be two more writes a job, and as much work for the server.
 */
import { createInbox, type Msg, type Subscription } from '@nats-io/transport-node'
import type { NatsLink } from './nats-link.ts'

export interface JobInbox {
  readonly subject: string
  readonly subscription: Subscription
  receive: (message: Msg) => void
}

export class JobInboxes {
  readonly #link: NatsLink
  /** As many as there were pulls at once, at most. */
  readonly #free: JobInbox[] = []

  constructor(link: NatsLink) {
    this.#link = link
  }

  /** One to which nothing else comes. To be given back to `free` or `leave`. */
  take(receive: (message: Msg) => void): JobInbox {
    const inbox = this.#free.pop() ?? this.#subscribe()
    inbox.receive = receive
    return inbox
  }

  /** The server owes it nothing more. */
  free(inbox: JobInbox): void {
    if (!inbox.subscription.isClosed()) this.#free.push(inbox)
  }

  /** Resolves once the server has confirmed that nobody listens there any more: nothing is on its way then. */
  async leave({ subscription }: JobInbox): Promise<void> {
    if (subscription.isClosed()) return
    // The request itself must not come after the server has heard that nobody waits for its answer.
    this.#link.write()
    if (this.#link.status !== 'connected') {
      subscription.unsubscribe()
      return
    }
    try {
      await subscription.drain()
    } catch {
      // The connection was closed meanwhile.
    }
  }

  close(): void {
    for (const { subscription } of this.#free.splice(0)) if (!subscription.isClosed()) subscription.unsubscribe()
  }

  #subscribe(): JobInbox {
    const subject = createInbox()
    const inbox: JobInbox = { subject, subscription: this.#link.connection.subscribe(subject, { callback: (_, message) => inbox.receive(message) }), receive: () => undefined }
    return inbox
  }
}
