import { ChatError, type ChatClient, type Conversation, type OutboxMessage } from '../../client/client.ts'
import { randomName } from './random-name.ts'
import type { HeldConversation } from './shown-messages.ts'

export interface NewConversationOwner {
  changed(): void
  /** It is there, and has what was said in it. */
  created(conversation: Conversation): void
}

/** Things that can be said before the conversation is there. */
const outboxBound = 8

/** A conversation that is being created: what was said in it is shown at once, and sent when it is there. */
export class NewConversation {
  readonly #client: ChatClient
  readonly #owner: NewConversationOwner
  #outbox: readonly OutboxMessage[] = []
  #creating = false

  constructor(client: ChatClient, owner: NewConversationOwner) {
    this.#client = client
    this.#owner = owner
  }

  /** Looks like a conversation to those who show it. */
  held(): HeldConversation {
    return { messages: [], turns: [], outbox: this.#outbox }
  }

  /** Throws ChatError where too much was said already. */
  say(text: string): void {
    if (this.#outbox.length >= outboxBound) throw new ChatError('too_many_commands', 'Wait until the conversation has begun.')
    this.#outbox = [...this.#outbox, { clientMessageId: randomName(), kind: 'send', text, parentId: undefined, state: 'pending', error: null, heldUntil: null, createdAt: new Date().toISOString() }]
    this.retry()
  }

  retry(): void {
    this.#mark('pending', null)
    if (this.#creating) return
    this.#creating = true
    this.#client.createConversation().then(
      (conversation) => {
        for (const { text, clientMessageId } of this.#outbox) conversation.send(text, { clientMessageId })
        this.#owner.created(conversation)
      },
      (error: Error) => {
        this.#creating = false
        this.#mark('failed', error instanceof ChatError ? error : new ChatError('unavailable', error.message))
      },
    )
  }

  #mark(state: OutboxMessage['state'], error: ChatError | null): void {
    this.#outbox = this.#outbox.map((entry) => ({ ...entry, state, error }))
    this.#owner.changed()
  }
}
