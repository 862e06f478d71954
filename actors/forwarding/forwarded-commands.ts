/** The owner's side: commands that other edges have sent on, for conversations of this process. */
import { decodeForwardRequest, encodeBus } from '../../protocol/bus/codec.ts'
import type { ForwardReply, ForwardRequest } from '../../protocol/bus/forwarding.ts'
import type { Origin } from '../../protocol/bus/origin.ts'
import { busVersion, commandsSubject } from '../../protocol/bus/subjects.ts'
import { ChatError } from '../../protocol/errors.ts'
import type { Channel, ChannelMessage, Subscription } from '../../platform/bus/channel.ts'
import type { Refusals } from '../../platform/bus/refusals.ts'
import { moved, refused } from '../placement/replies.ts'

export interface ForwardedCommandsOptions {
  readonly channel: Channel
  readonly node: string
  readonly refusals: Refusals
  /** Rejects with ChatError, `moved` where the conversation is not here. */
  readonly perform: (userId: string, command: ForwardRequest['command'], origin: Origin) => Promise<Extract<ForwardReply, { type: 'answered' }>['reply']>
}

export class ForwardedCommands {
  readonly #options: ForwardedCommandsOptions
  #subscription: Subscription | null = null

  constructor(options: ForwardedCommandsOptions) {
    this.#options = options
  }

  start(): void {
    const { channel, node } = this.#options
    this.#subscription ??= channel.subscribe(commandsSubject(node), (message) => void this.#answer(message))
  }

  stop(): void {
    this.#subscription?.unsubscribe()
    this.#subscription = null
  }

  async #answer(message: ChannelMessage): Promise<void> {
    try {
      message.respond(encodeBus(await this.#perform(decodeForwardRequest(message.payload))))
    } catch (error) {
      this.#options.refusals.failed(message.subject, error)
    }
  }

  async #perform(request: ForwardRequest): Promise<ForwardReply> {
    try {
      return { v: busVersion, type: 'answered', reply: await this.#options.perform(request.user_id, request.command, request.origin ?? {}) }
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      return error.code === 'moved' || error.code === 'draining' ? moved : refused(error)
    }
  }
}
