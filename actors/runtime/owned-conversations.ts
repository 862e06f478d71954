/** The door for other edges: what their clients ask of conversations that this process owns. */
import type { FollowRequest } from '../../protocol/bus/following.ts'
import type { ForwardReply, ForwardRequest } from '../../protocol/bus/forwarding.ts'
import type { Origin } from '../../protocol/bus/origin.ts'
import { ChatError } from '../../protocol/errors.ts'
import type { ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import { Superseded } from '../placement/superseded.ts'
import type { ConversationActor } from './actor.ts'
import type { ActorDirectory } from './directory.ts'
import type { LocalConversations } from './local-conversations.ts'

export interface OwnedConversationsOptions {
  readonly store: Pick<ConversationStore, 'turn'>
  readonly directory: Pick<ActorDirectory, 'find'>
  readonly node: string
  readonly local: LocalConversations
  readonly actorOfTurn: (turnId: string) => ConversationActor | undefined
}

export class OwnedConversations {
  readonly #options: OwnedConversationsOptions

  constructor(options: OwnedConversationsOptions) {
    this.#options = options
  }

  /** Rejects with ChatError, `moved` where the conversation is another's, and with Superseded. */
  async perform(userId: string, command: ForwardRequest['command'], origin: Origin): Promise<Extract<ForwardReply, { type: 'answered' }>['reply']> {
    const { local } = this.#options
    if (command.type === 'turn.stop' || command.type === 'turn.stop_unheard') {
      const { turn_id } = command
      const actor = await this.#actor(userId, await this.#conversationOf(turn_id), 'turn_not_found')
      if (command.type === 'turn.stop') return local.stop(actor, turn_id)
      const again = await local.stopUnheard(actor, turn_id, command.for_ms)
      return { type: 'turn.unheard', turn_id, ask_again_ms: again?.askAgainMs ?? null }
    }
    const actor = await this.#actor(userId, command.conversation_id, 'conversation_not_found')
    switch (command.type) {
      case 'conversation.rename':
        return local.rename(actor, command.title)
      case 'conversation.delete':
        return local.delete(actor)
      default:
        return local.accept(actor, command, origin)
    }
  }

  /** As `perform`. `take` is called in the turn of the event loop in which the snapshot holds. */
  async open({ user_id, command }: FollowRequest, take: (actor: ConversationActor, opened: ReplyOf<'conversation.open'>) => void): Promise<void> {
    const actor = await this.#actor(user_id, command.conversation_id, 'conversation_not_found')
    await this.#options.local.snapshot(actor, command, (opened) => take(actor, opened))
  }

  async #actor(userId: string, conversationId: number, notFound: 'conversation_not_found' | 'turn_not_found'): Promise<ConversationActor> {
    const { directory, node } = this.#options
    const found = await directory.find(conversationId)
    if (found.type === 'elsewhere') throw found.node === node ? new Superseded(node) : new ChatError('moved')
    const { actor } = found
    if (actor.state.userId !== userId) throw new ChatError(notFound)
    return actor
  }

  async #conversationOf(turnId: string): Promise<number> {
    const { store, actorOfTurn } = this.#options
    const conversationId = actorOfTurn(turnId)?.conversationId ?? (await store.turn(turnId))?.conversationId
    if (conversationId === undefined) throw new ChatError('turn_not_found')
    return conversationId
  }
}
