/** What clients ask of a conversation, carried out on its actor in this process. Rejects with ChatError. */
import { bucketOfId, newTurnId } from '../../protocol/ids.ts'
import { ChatError } from '../../protocol/errors.ts'
import type { TurnRetry } from '../../protocol/bus/forwarding.ts'
import type { Origin } from '../../protocol/bus/origin.ts'
import type { Params } from '../../protocol/websocket/fields.ts'
import type { CommandOf, ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import { commandHash } from '../conversation/command-hash.ts'
import type { AcceptEvent, Answer } from '../conversation/events.ts'
import { duplicateReply } from '../conversation/reduce.ts'
import type { FeedClient, FollowedTurn, PartsClient, Subscription, TurnPosition } from '../conversation-service.ts'
import { subscribeAfter } from '../feed/after-snapshot.ts'
import { patienceMs, type ConversationActor } from './actor.ts'
import { openedSnapshot, turnSnapshot } from './snapshot.ts'
import type { TurnTraces } from './turn-traces.ts'
import { editTarget, regenerateTarget, requireParent } from './targets.ts'

export type AcceptCommand = CommandOf<'message.send'> | CommandOf<'message.edit'> | CommandOf<'turn.regenerate'> | TurnRetry

export interface LocalConversationsOptions {
  readonly store: ConversationStore
  readonly now: () => number
  readonly turnDeadlineMs: number
  readonly traces: TurnTraces
  /** Rejects with `moved` where the actor's conversation may have been lost without its knowledge, and was. */
  readonly confirm: (actor: ConversationActor) => Promise<void>
}

export class LocalConversations {
  readonly #options: LocalConversationsOptions

  constructor(options: LocalConversationsOptions) {
    this.#options = options
  }

  /** `take` is called in the turn of the event loop in which the snapshot holds. */
  async snapshot<T>(actor: ConversationActor, command: CommandOf<'conversation.open'>, take: (opened: ReplyOf<'conversation.open'>) => T): Promise<T> {
    await this.#options.confirm(actor)
    return actor.exclusively(
      () => openedSnapshot(this.#options.store, () => actor.state, command.cursor),
      (snapshot) => take({ type: 'conversation.opened', ...snapshot }),
      patienceMs,
    )
  }

  open(actor: ConversationActor, command: CommandOf<'conversation.open'>, client: FeedClient, onMoved: () => void): Promise<{ readonly opened: ReplyOf<'conversation.open'>; readonly subscription: Subscription }> {
    return this.snapshot(actor, command, (opened) => ({ opened, subscription: subscribeAfter(opened, actor.feed, client, onMoved) }))
  }

  /** Null where the turn is not among the unfinished ones. Reads nothing from the store. */
  async follow(actor: ConversationActor, turnId: string, position: TurnPosition, client: PartsClient, onMoved: () => void): Promise<FollowedTurn | null> {
    await this.#options.confirm(actor)
    if (actor.isDropped) throw new ChatError('moved')
    const { turns } = actor.state
    const followed = turns.find((each) => each.turnId === turnId)
    if (followed === undefined) return null
    const turn = turnSnapshot(followed, { turn_id: turnId, ...position })
    // Of another turn that runs, all text comes: nobody needs it, and it is not known here where it stands.
    return { turn, subscription: subscribeAfter({ turns: [turn] }, actor.feed, client, onMoved) }
  }

  async accept(actor: ConversationActor, command: AcceptCommand, origin: Origin): Promise<ReplyOf<'message.send'>> {
    const reply = await this.#begin(actor, command, origin)
    if (origin.kept === true) actor.keep(reply.turn_id)
    return reply
  }

  #begin(actor: ConversationActor, command: AcceptCommand, origin: Origin): Promise<ReplyOf<'message.send'>> {
    const { store } = this.#options
    switch (command.type) {
      case 'message.send':
        return this.#accept(actor, command, origin, false, { model: command.model ?? null, params: command.params ?? {} }, async () => {
          await requireParent(store, actor.state, command.parent_id)
          return { type: 'new', content: command.text, parentId: command.parent_id }
        })
      case 'message.edit':
        return this.#accept(actor, command, origin, true, { model: null, params: {} }, () => editTarget(store, actor.state, command.message_id, command.text))
      case 'turn.retry':
        return this.#accept(actor, command, origin, false, { model: command.model ?? null, params: command.params ?? {} }, () => regenerateTarget(store, actor.state, command.message_id))
      case 'turn.regenerate':
        return this.#accept(actor, command, origin, true, { model: null, params: {} }, () => regenerateTarget(store, actor.state, command.message_id))
    }
  }

  async stop(actor: ConversationActor, turnId: string): Promise<ReplyOf<'turn.stop'>> {
    // A stop that is refused must not leave the turn without its text.
    if (!actor.isFull) actor.now({ type: 'cut', turnId })
    const answer = await actor.perform((key) => ({ type: 'stop', key, now: this.#options.now(), turnId }))
    // It ended while the stop was on its way.
    if (answer?.type === 'ask_store' || answer?.type === 'stopped') return { type: 'turn.stopped', turn_id: turnId }
    throw errorOf(answer)
  }

  async rename(actor: ConversationActor, title: string): Promise<ReplyOf<'conversation.rename'>> {
    const answer = await actor.perform((key) => ({ type: 'rename', key, title }), patienceMs)
    if (answer?.type === 'renamed') return answer.reply
    throw errorOf(answer)
  }

  async delete(actor: ConversationActor): Promise<ReplyOf<'conversation.delete'>> {
    const answer = await actor.perform((key) => ({ type: 'delete', key }), patienceMs)
    if (answer?.type === 'deleted') return { type: 'conversation.deleted', conversation_id: actor.conversationId }
    throw errorOf(answer)
  }

  /** Stops the turn where nobody has had the conversation open for so long. Null: the turn has ended, or is to be written to its end. */
  async stopUnheard(actor: ConversationActor, turnId: string, forMs: number): Promise<{ readonly askAgainMs: number } | null> {
    if (!actor.state.turns.some((turn) => turn.turnId === turnId) || actor.keeps(turnId)) return null
    const { unheardMs } = actor
    if (unheardMs < forMs) return { askAgainMs: forMs - unheardMs }
    await this.stop(actor, turnId)
    return null
  }

  async #accept(actor: ConversationActor, command: AcceptCommand, origin: Origin, interrupts: boolean, wishes: { readonly model: string | null; readonly params: Params }, target: () => Promise<AcceptEvent['user']>): Promise<ReplyOf<'message.send'>> {
    const { now, turnDeadlineMs, traces } = this.#options
    const hash = commandHash(command)
    // A repeated edit must not stop a run whose text this owner does not hold, only to be found a repetition.
    if (interrupts && actor.state.turns[0]?.state === 'resuming') {
      const repeated = await this.#repeated(command, hash)
      if (repeated !== null) return repeated
    }
    const turnId = newTurnId(bucketOfId(command.conversation_id), now())
    const traceparent = traces.begin(turnId, origin.traceparent ?? null)
    let isTraced = false
    try {
      const answer = await actor.perform(async (key) => {
        const user = await target()
        const at = now()
        return {
          type: 'accept',
          key,
          now: at,
          turnId,
          clientMessageId: command.client_message_id,
          commandHash: hash,
          interrupts,
          user,
          lane: origin.lane ?? 'standard',
          traceparent,
          model: wishes.model,
          params: noLonger(wishes.params, origin.max_tokens),
          deadlineAt: at + turnDeadlineMs,
        }
      }, patienceMs)
      if (answer?.type === 'accepted') {
        isTraced = answer.reply.turn_id === turnId
        return answer.reply
      }
      // What was accepted before is not refused for want of room.
      const repeated = answer?.type === 'error' && answer.code === 'busy' ? await this.#repeated(command, hash) : null
      if (repeated !== null) return repeated
      throw errorOf(answer)
    } finally {
      if (!isTraced) traces.end(turnId, 'not_accepted')
    }
  }

  /** The first answer, where the command is a repetition. */
  async #repeated(command: { readonly conversation_id: number; readonly client_message_id: string }, hash: Uint8Array): Promise<ReplyOf<'message.send'> | null> {
    const known = await this.#options.store.acceptedTurn(command.conversation_id, command.client_message_id)
    if (known === null) return null
    if (Buffer.compare(known.commandHash, hash) !== 0) throw new ChatError('idempotency_conflict')
    return duplicateReply(known.turn)
  }
}

function noLonger(params: Params, most: number | undefined): Params {
  return most === undefined ? params : { ...params, max_tokens: Math.min(params.max_tokens ?? most, most) }
}

function errorOf(answer: Answer | undefined): ChatError {
  return new ChatError(answer?.type === 'error' ? answer.code : 'internal')
}
