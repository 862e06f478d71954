/** ChatterBot's own protocol (docs/protocol.md): one connection with one conversation, in JSON. */
import type { Command, ServerMessage } from '../../protocol/websocket/messages.ts'
import type { FramedDialect, Listener } from './framed-session.ts'

export class Chatterbot implements FramedDialect {
  readonly path = '/ws'
  readonly subprotocol = 'chatterbot.v1.json'
  readonly #hello: Command
  #conversationId = 0
  #asked = 0
  /** Of what was said of the reply under way, in the server's count. */
  #end = 0

  constructor(who: { readonly user_id: string } | { readonly token: string }) {
    this.#hello = { type: 'hello', ...who }
  }

  begin: FramedDialect['begin'] = (listener) => say(this.#hello, listener)

  hear: FramedDialect['hear'] = (frame, listener) => {
    const message = JSON.parse(frame) as ServerMessage
    switch (message.type) {
      case 'turn.delta':
        // The text would be wrong, too, but not say why.
        if (message.offset !== this.#end) listener.fail(`text at ${message.offset} where ${this.#end} was to follow`)
        this.#end = message.end
        return listener.text(message.text)
      case 'turn.finished':
        return listener.end()
      case 'turn.failed':
        return listener.fail(message.error.code)
      case 'error':
        return listener.fail(`${message.code}: ${message.message}`)
      case 'welcome':
        return say({ type: 'conversation.create' }, listener)
      case 'conversation.created':
        this.#conversationId = message.conversation_id
        return say({ type: 'conversation.open', conversation_id: message.conversation_id }, listener)
      case 'conversation.opened':
        return listener.ready()
      case 'conversation.closed':
      case 'server.draining':
        return listener.fail(message.type)
      default:
    }
  }

  ask: FramedDialect['ask'] = (text, listener) => {
    this.#end = 0
    this.#asked += 1
    say({ type: 'message.send', conversation_id: this.#conversationId, client_message_id: `${this.#asked} of ${this.#conversationId}`, text }, listener)
  }
}

function say(command: Command, listener: Listener): void {
  listener.send(JSON.stringify(command))
}
