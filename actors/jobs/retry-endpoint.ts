/** Answers operators who ask for a turn that failed to be tried again. One edge answers for all; the owner carries it out. */
import { decodeRetryRequest, encodeBus } from '../../protocol/bus/codec.ts'
import type { TurnRetry } from '../../protocol/bus/forwarding.ts'
import type { Origin } from '../../protocol/bus/origin.ts'
import type { RetryReply, RetryRequest } from '../../protocol/bus/retry.ts'
import { busVersion, edgesQueueGroup, retrySubject } from '../../protocol/bus/subjects.ts'
import { ChatError } from '../../protocol/errors.ts'
import type { ReplyOf } from '../../protocol/websocket/messages.ts'
import type { Channel, ChannelMessage, Subscription } from '../../platform/bus/channel.ts'
import type { Refusals } from '../../platform/bus/refusals.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import { refused } from '../placement/replies.ts'

export interface RetryEndpointOptions {
  readonly channel: Channel
  readonly store: Pick<ConversationStore, 'turn'>
  readonly refusals: Refusals
  /** Rejects with ChatError. */
  readonly retry: (userId: string, command: TurnRetry, origin: Origin) => Promise<ReplyOf<'message.send'>>
}

export class RetryEndpoint {
  readonly #options: RetryEndpointOptions
  #subscription: Subscription | null = null

  constructor(options: RetryEndpointOptions) {
    this.#options = options
  }

  start(): void {
    this.#subscription ??= this.#options.channel.subscribe(retrySubject, (message) => void this.#answer(message), { queue: edgesQueueGroup })
  }

  stop(): void {
    this.#subscription?.unsubscribe()
    this.#subscription = null
  }

  async #answer(message: ChannelMessage): Promise<void> {
    try {
      message.respond(encodeBus(await this.#retry(decodeRetryRequest(message.payload))))
    } catch (error) {
      this.#options.refusals.failed(message.subject, error)
    }
  }

  async #retry(request: RetryRequest): Promise<RetryReply> {
    const { store, retry } = this.#options
    try {
      const turn = await store.turn(request.turn_id)
      const isFailed = turn !== null && turn.conversationId === request.conversation_id && turn.state === 'failed'
      if (!isFailed) throw new ChatError('turn_not_found', 'There is no such turn that failed.')
      const accepted = await retry(turn.userId, {
        type: 'turn.retry',
        conversation_id: turn.conversationId,
        message_id: turn.replyMessageId,
        // Asked for twice, it is one turn.
        client_message_id: `retry:${turn.turnId}`,
        params: turn.params,
        ...(turn.model === null ? {} : { model: turn.model }),
      }, { lane: turn.lane })
      return { v: busVersion, type: 'accepted', turn_id: accepted.turn_id, duplicate: accepted.duplicate }
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      return refused(error)
    }
  }
}
