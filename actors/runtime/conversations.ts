/** The door to the actors, for the edge's transports. See ConversationService for what each rejects with. */
import { ChatError } from '../../protocol/errors.ts'
import { bucketOfId, newTurnId } from '../../protocol/ids.ts'
import type { Params } from '../../protocol/websocket/fields.ts'
import { limits } from '../../protocol/websocket/limits.ts'
import type { CommandOf, ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConversationRow, ConversationStore } from '../../storage/conversation-store.ts'
import { commandHash } from '../conversation/command-hash.ts'
import type { AcceptEvent, Answer } from '../conversation/events.ts'
import { duplicateReply } from '../conversation/reduce.ts'
import type { ClientConnection, ConversationService, Subscription } from '../conversation-service.ts'
import { patienceMs, type ConversationActor } from './actor.ts'
import type { ActorDirectory } from './directory.ts'
import { openedSnapshot } from './snapshot.ts'
import { editTarget, regenerateTarget, requireParent } from './targets.ts'

const listPage = 50
/** Commands that fail because the actor went (it was passivated, or moved) are tried once more on a new one. */
const tries = 2

export interface ConversationsOptions {
  readonly store: ConversationStore
  readonly directory: ActorDirectory
  readonly now: () => number
  readonly turnDeadlineMs: number
  readonly actorOfTurn: (turnId: string) => ConversationActor | undefined
  readonly load: () => { readonly queueDepth: number; readonly etaMs: number }
}

export class Conversations implements ConversationService {
  readonly #options: ConversationsOptions

  constructor(options: ConversationsOptions) {
    this.#options = options
  }

  async create(userId: string, command: CommandOf<'conversation.create'>): Promise<ReplyOf<'conversation.create'>> {
    const row = await this.#options.store.createConversation({
      userId,
      clientConversationId: command.client_conversation_id ?? null,
      title: command.title ?? null,
      model: command.model ?? null,
      system: command.system ?? null,
    })
    return { type: 'conversation.created', conversation_id: row.conversationId, title: row.title, created_at: new Date(row.createdAt).toISOString() }
  }

  async list(userId: string, command: CommandOf<'conversation.list'>): Promise<ReplyOf<'conversation.list'>> {
    const page = { limit: command.limit ?? listPage, ...(command.before === undefined ? {} : { before: command.before }) }
    const { conversations, hasMore } = await this.#options.store.listConversations(userId, page)
    return { type: 'conversations', conversations: conversations.map(summary), has_more: hasMore }
  }

  async history(userId: string, command: CommandOf<'history.get'>): Promise<ReplyOf<'history.get'>> {
    const { store } = this.#options
    await this.#requireOwn(userId, command.conversation_id)
    const page = { limit: command.limit ?? limits.pageMessages, maxBytes: limits.pageBytes, ...(command.before === undefined ? {} : { before: command.before }) }
    const { messages, hasMore } = await store.messagesBefore(command.conversation_id, page)
    return { type: 'history', conversation_id: command.conversation_id, messages: [...messages], has_more: hasMore }
  }

  open(userId: string, command: CommandOf<'conversation.open'>, connection: ClientConnection, onMoved: () => void): Promise<{ readonly opened: ReplyOf<'conversation.open'>; readonly subscription: Subscription }> {
    return this.#withActor(userId, command.conversation_id, (actor) =>
      actor.exclusively(() => openedSnapshot(this.#options.store, () => actor.state, command.cursor), (snapshot) => {
        const running = snapshot.turns.find((turn) => turn.state === 'running' || turn.state === 'resuming')
        const position = running === undefined ? null : { turnId: running.turn_id, attempt: running.attempt, offset: running.end }
        const inner = actor.feed.subscribe(connection, position)
        const forget = actor.onMoved(() => {
          // Nothing of what was lost may follow the news that it was.
          inner.close()
          onMoved()
        })
        const subscription: Subscription = {
          conversationId: actor.conversationId,
          start: () => inner.start(),
          pump: () => inner.pump(),
          close: () => {
            forget()
            inner.close()
            actor.idleSince = this.#options.now()
          },
        }
        return { opened: { type: 'conversation.opened', ...snapshot }, subscription }
      }, patienceMs),
    )
  }

  send(userId: string, command: CommandOf<'message.send'>): Promise<ReplyOf<'message.send'>> {
    return this.#accept(userId, command, false, { model: command.model ?? null, params: command.params ?? {} }, async (actor) => {
      await requireParent(this.#options.store, actor.state, command.parent_id)
      return { type: 'new', content: command.text, parentId: command.parent_id }
    })
  }

  edit(userId: string, command: CommandOf<'message.edit'>): Promise<ReplyOf<'message.edit'>> {
    return this.#accept(userId, command, true, { model: null, params: {} }, (actor) => editTarget(this.#options.store, actor.state, command.message_id, command.text))
  }

  regenerate(userId: string, command: CommandOf<'turn.regenerate'>): Promise<ReplyOf<'turn.regenerate'>> {
    return this.#accept(userId, command, true, { model: null, params: {} }, (actor) => regenerateTarget(this.#options.store, actor.state, command.message_id))
  }

  async stop(userId: string, command: CommandOf<'turn.stop'>): Promise<ReplyOf<'turn.stop'>> {
    const { turn_id } = command
    const stopped: ReplyOf<'turn.stop'> = { type: 'turn.stopped', turn_id }
    const active = this.#options.actorOfTurn(turn_id)
    const row = active === undefined ? await this.#options.store.turn(turn_id) : null
    const conversationId = active?.conversationId ?? row?.conversationId
    if (conversationId === undefined || (row !== null && row.userId !== userId)) throw new ChatError('turn_not_found')
    if (row !== null && (row.state === 'finished' || row.state === 'failed')) return stopped
    return this.#withActor(userId, conversationId, async (actor) => {
      // A stop that is refused must not leave the turn without its text.
      if (!actor.isFull) actor.now({ type: 'cut', turnId: turn_id })
      const answer = await actor.perform((key) => ({ type: 'stop', key, now: this.#options.now(), turnId: turn_id }))
      // It ended while the stop was on its way.
      if (answer?.type === 'ask_store' || answer?.type === 'stopped') return stopped
      throw errorOf(answer)
    }, 'turn_not_found')
  }

  load(): { readonly queue_depth: number; readonly eta_ms: number } {
    const { queueDepth, etaMs } = this.#options.load()
    return { queue_depth: queueDepth, eta_ms: etaMs }
  }

  #accept(
    userId: string,
    command: CommandOf<'message.send'> | CommandOf<'message.edit'> | CommandOf<'turn.regenerate'>,
    interrupts: boolean,
    wishes: { readonly model: string | null; readonly params: Params },
    target: (actor: ConversationActor) => Promise<AcceptEvent['user']>,
  ): Promise<ReplyOf<'message.send'>> {
    const { now, turnDeadlineMs } = this.#options
    const hash = commandHash(command)
    return this.#withActor(userId, command.conversation_id, async (actor) => {
      // A repeated edit must not stop a run whose text this owner does not hold, only to be found a repetition.
      if (interrupts && actor.state.turns[0]?.state === 'resuming') {
        const repeated = await this.#repeated(command, hash)
        if (repeated !== null) return repeated
      }
      const turnId = newTurnId(bucketOfId(command.conversation_id), now())
      const answer = await actor.perform(async (key) => {
        const user = await target(actor)
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
          lane: 'standard',
          model: wishes.model,
          params: wishes.params,
          deadlineAt: at + turnDeadlineMs,
        }
      }, patienceMs)
      if (answer?.type === 'accepted') return answer.reply
      // What was accepted before is not refused for want of room.
      const repeated = answer?.type === 'error' && answer.code === 'busy' ? await this.#repeated(command, hash) : null
      if (repeated !== null) return repeated
      throw errorOf(answer)
    })
  }

  /** The first answer, where the command is a repetition. */
  async #repeated(command: { readonly conversation_id: number; readonly client_message_id: string }, hash: Uint8Array): Promise<ReplyOf<'message.send'> | null> {
    const known = await this.#options.store.acceptedTurn(command.conversation_id, command.client_message_id)
    if (known === null) return null
    if (Buffer.compare(known.commandHash, hash) !== 0) throw new ChatError('idempotency_conflict')
    return duplicateReply(known.turn)
  }

  async #withActor<T>(userId: string, conversationId: number, use: (actor: ConversationActor) => Promise<T>, notFound: 'conversation_not_found' | 'turn_not_found' = 'conversation_not_found'): Promise<T> {
    for (let left = tries; ; ) {
      left -= 1
      if (this.#options.directory.peek(conversationId) === undefined) await this.#requireOwn(userId, conversationId, notFound)
      const actor = await this.#options.directory.get(conversationId)
      // Whose it is not is told the same as where there is none.
      if (actor.state.userId !== userId) throw new ChatError(notFound)
      try {
        return await use(actor)
      } catch (error) {
        if (left === 0 || !(error instanceof ChatError) || error.code !== 'moved') throw error
      }
    }
  }

  /** Looked up before anything is claimed: a stranger's request must not move a conversation. */
  async #requireOwn(userId: string, conversationId: number, notFound: 'conversation_not_found' | 'turn_not_found' = 'conversation_not_found'): Promise<void> {
    const row = await this.#options.store.conversation(conversationId)
    if (row === null || row.userId !== userId) throw new ChatError(notFound)
  }
}

function errorOf(answer: Answer | undefined): ChatError {
  return new ChatError(answer?.type === 'error' ? answer.code : 'internal')
}

function summary(row: ConversationRow): ReplyOf<'conversation.list'>['conversations'][number] {
  return {
    conversation_id: row.conversationId,
    title: row.title,
    ...(row.model === null ? {} : { model: row.model }),
    created_at: new Date(row.createdAt).toISOString(),
    updated_at: new Date(row.updatedAt).toISOString(),
  }
}
