/** Sends commands on to the edge that owns their conversation. Each may be repeated: its effect is there once. */
import { decodeForwardReply } from '../../protocol/bus/codec.ts'
import type { ForwardReply, ForwardRequest } from '../../protocol/bus/forwarding.ts'
import type { Origin } from '../../protocol/bus/origin.ts'
import { busVersion, commandsSubject } from '../../protocol/bus/subjects.ts'
import { ChatError } from '../../protocol/errors.ts'
import type { CommandOf, ReplyOf } from '../../protocol/websocket/messages.ts'
import type { Channel } from '../../platform/bus/channel.ts'
import { askOwner } from '../placement/ask-owner.ts'
import { errorOfReply } from '../placement/replies.ts'
import type { AcceptCommand } from '../runtime/local-conversations.ts'

/** An owner that lives and has Postgres answers within milliseconds, and without Postgres within 4 s. */
const answerWithinMs = 4_500

export class Forwarding {
  readonly #channel: Channel

  constructor(channel: Channel) {
    this.#channel = channel
  }

  /** Rejects with ChatError by the owner's word, and with OwnerAway. */
  async accept(node: string, userId: string, command: AcceptCommand, origin: Origin): Promise<ReplyOf<'message.send'>> {
    const reply = await this.#ask(node, userId, command, origin)
    if (reply.type !== 'message.accepted') throw new ChatError('internal')
    return reply
  }

  async stop(node: string, userId: string, command: CommandOf<'turn.stop'>): Promise<ReplyOf<'turn.stop'>> {
    const reply = await this.#ask(node, userId, command)
    if (reply.type !== 'turn.stopped') throw new ChatError('internal')
    return reply
  }

  async rename(node: string, userId: string, command: CommandOf<'conversation.rename'>): Promise<ReplyOf<'conversation.rename'>> {
    const reply = await this.#ask(node, userId, command)
    if (reply.type !== 'conversation.renamed') throw new ChatError('internal')
    return reply
  }

  async delete(node: string, userId: string, command: CommandOf<'conversation.delete'>): Promise<ReplyOf<'conversation.delete'>> {
    const reply = await this.#ask(node, userId, command)
    if (reply.type !== 'conversation.deleted') throw new ChatError('internal')
    return reply
  }

  async stopUnheard(node: string, userId: string, turnId: string, forMs: number): Promise<{ readonly askAgainMs: number } | null> {
    const reply = await this.#ask(node, userId, { type: 'turn.stop_unheard', turn_id: turnId, for_ms: forMs })
    if (reply.type !== 'turn.unheard') throw new ChatError('internal')
    return reply.ask_again_ms === null ? null : { askAgainMs: reply.ask_again_ms }
  }

  async #ask(node: string, userId: string, command: ForwardRequest['command'], origin?: Origin): Promise<Extract<ForwardReply, { type: 'answered' }>['reply']> {
    // The ref is the client's connection's.
    const { ref: _, ...rest }: ForwardRequest['command'] & { readonly ref?: string | number } = command
    const reply = await askOwner(this.#channel, commandsSubject(node), { v: busVersion, user_id: userId, command: rest, ...(origin === undefined ? {} : { origin }) }, decodeForwardReply, answerWithinMs)
    if (reply.type !== 'answered') throw errorOfReply(reply)
    return reply.reply
  }
}
