/** The door to the actors, for the edge's transports, wherever a conversation is. See ConversationService for what each rejects with. */
import { ChatError } from '../../protocol/errors.ts'
import type { TurnRetry } from '../../protocol/bus/forwarding.ts'
import type { Origin } from '../../protocol/bus/origin.ts'
import type { ConversationSummary } from '../../protocol/websocket/commands/conversation-list.ts'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { CommandOf, ReplyOf } from '../../protocol/websocket/messages.ts'
import { limits } from '../../protocol/websocket/limits.ts'
import type { ConversationRow, ConversationStore, DrawnConversation } from '../../storage/conversation-store.ts'
import type { ConversationState } from '../conversation/state.ts'
import type { Turn } from '../conversation/turn.ts'
import type { ClientConnection, ConversationService, FollowedTurn, PartsClient, Subscription, TurnStatus } from '../conversation-service.ts'
import { beginning, type Beginning, type Creation } from '../creation.ts'
import type { Forwarding } from '../forwarding/forwarding.ts'
import type { Mirrors } from '../following/mirrors.ts'
import type { Placement } from '../placement/placement.ts'
import type { ConversationActor } from './actor.ts'
import type { ActorDirectory } from './directory.ts'
import type { AcceptCommand, LocalConversations } from './local-conversations.ts'

const listPage = 50
const rememberedConversations = 1_000

type NotFound = 'conversation_not_found' | 'turn_not_found'

export interface ConversationsOptions {
  readonly store: ConversationStore
  readonly directory: Pick<ActorDirectory, 'peek' | 'toMake'>
  readonly placement: Placement
  readonly local: LocalConversations
  readonly mirrors: Mirrors
  readonly forwarding: Forwarding
  readonly actorOfTurn: (turnId: string) => ConversationActor | undefined
  readonly load: () => { readonly queueDepth: number; readonly etaMs: number }
}

export class Conversations implements ConversationService {
  readonly #options: ConversationsOptions
  /** Whose the conversations are that were created here and not asked for since: what comes next is mostly for one of them. */
  readonly #created = new Map<number, string>()

  constructor(options: ConversationsOptions) {
    this.#options = options
  }

  async create(userId: string, command: CommandOf<'conversation.create'>, { history, expiresAfterMs }: Creation = {}): Promise<ReplyOf<'conversation.create'>> {
    const row = await this.#options.store.createConversation({
      userId,
      clientConversationId: command.client_conversation_id ?? null,
      title: command.title ?? null,
      model: command.model ?? null,
      ...beginning(command.system ?? null, history),
      ...(expiresAfterMs === undefined ? {} : { expiresAfterMs }),
    })
    this.#remember(row.conversationId, userId)
    return { type: 'conversation.created', conversation_id: row.conversationId, title: row.title, created_at: new Date(row.createdAt).toISOString() }
  }

  draw(userId: string): Promise<DrawnConversation> {
    return this.#options.store.drawConversation(userId)
  }

  async begin(userId: string, drawn: DrawnConversation, beginning: Beginning, command: CommandOf<'message.send'>, origin: Origin = {}): Promise<ReplyOf<'message.send'>> {
    const { directory, local } = this.#options
    const actor = directory.toMake(drawn, { userId, ...beginning })
    try {
      return await local.accept(actor, command, origin)
    } catch (error) {
      if (!actor.isMade) actor.drop()
      // This process cannot make it there: its map of shards is wrong.
      throw error instanceof ChatError && error.code === 'moved' ? new ChatError('unavailable', undefined, { cause: error }) : error
    }
  }

  async list(userId: string, command: CommandOf<'conversation.list'>): Promise<ReplyOf<'conversation.list'>> {
    const page = { limit: command.limit ?? listPage, ...(command.before === undefined ? {} : { before: command.before }) }
    const { conversations, hasMore } = await this.#options.store.listConversations(userId, page)
    return { type: 'conversations', conversations: conversations.map(summary), has_more: hasMore }
  }

  async history(userId: string, command: CommandOf<'history.get'>): Promise<ReplyOf<'history.get'>> {
    const { store } = this.#options
    await this.#requireOwn(userId, command.conversation_id, 'conversation_not_found')
    const page = { limit: command.limit ?? limits.pageMessages, maxBytes: limits.pageBytes, ...(command.before === undefined ? {} : { before: command.before }) }
    const { messages, hasMore } = await store.messagesBefore(command.conversation_id, page)
    return { type: 'history', conversation_id: command.conversation_id, messages: [...messages], has_more: hasMore }
  }

  open(userId: string, command: CommandOf<'conversation.open'>, client: ClientConnection, onMoved: () => void): Promise<{ readonly opened: ReplyOf<'conversation.open'>; readonly subscription: Subscription }> {
    const { local, mirrors } = this.#options
    return this.#run(
      userId,
      command.conversation_id,
      (actor) => local.open(actor, command, client, onMoved),
      (node) => mirrors.open(node, userId, command, client, onMoved),
    )
  }

  follow(userId: string, { conversationId, turnId, position }: Parameters<ConversationService['follow']>[1], client: PartsClient, onMoved: () => void): Promise<FollowedTurn | null> {
    const { local, mirrors } = this.#options
    const command = { type: 'conversation.open', conversation_id: conversationId, cursor: { turn_id: turnId, ...position } } as const
    return this.#run(
      userId,
      conversationId,
      (actor) => local.follow(actor, turnId, position, client, onMoved),
      async (node) => {
        const { opened, subscription } = await mirrors.open(node, userId, command, client, onMoved)
        const turn = opened.turns.find(({ turn_id }) => turn_id === turnId)
        if (turn !== undefined) return { turn, subscription }
        subscription.close()
        return null
      },
      'turn_not_found',
    )
  }

  async turn(userId: string | null, turnId: string): Promise<TurnStatus> {
    const actor = this.#options.actorOfTurn(turnId)
    const active = actor?.state.turns.find((turn) => turn.turnId === turnId)
    const found = actor === undefined || active === undefined ? await this.#storedTurn(userId, turnId) : statusOf(actor.state, active)
    if (found === null || (userId !== null && found.userId !== userId)) throw new ChatError('turn_not_found')
    return found
  }

  async conversation(userId: string, conversationId: number): Promise<ConversationSummary> {
    const row = await this.#options.store.conversation(conversationId)
    if (row?.userId !== userId) throw new ChatError('conversation_not_found')
    return summary(row)
  }

  async ownerOf(conversationId: number): Promise<string | null> {
    const { directory, store } = this.#options
    return directory.peek(conversationId)?.state.userId ?? (await store.conversation(conversationId))?.userId ?? null
  }

  send(userId: string, command: CommandOf<'message.send'>, origin?: Origin): Promise<ReplyOf<'message.send'>> {
    return this.#accept(userId, command, origin)
  }

  edit(userId: string, command: CommandOf<'message.edit'>, origin?: Origin): Promise<ReplyOf<'message.edit'>> {
    return this.#accept(userId, command, origin)
  }

  regenerate(userId: string, command: CommandOf<'turn.regenerate'>, origin?: Origin): Promise<ReplyOf<'turn.regenerate'>> {
    return this.#accept(userId, command, origin)
  }

  /** For an operator, in the name of the conversation's user. */
  retry(userId: string, command: TurnRetry, origin?: Origin): Promise<ReplyOf<'message.send'>> {
    return this.#accept(userId, command, origin)
  }

  async stop(userId: string, command: CommandOf<'turn.stop'>): Promise<ReplyOf<'turn.stop'>> {
    const { local, forwarding } = this.#options
    const { turn_id } = command
    const conversationId = await this.#conversationOfUnfinished(userId, turn_id)
    if (conversationId === null) return { type: 'turn.stopped', turn_id }
    return this.#run(
      userId,
      conversationId,
      (actor) => local.stop(actor, turn_id),
      (node) => forwarding.stop(node, userId, command),
      'turn_not_found',
    )
  }

  rename(userId: string, command: CommandOf<'conversation.rename'>): Promise<ReplyOf<'conversation.rename'>> {
    const { local, forwarding } = this.#options
    return this.#run(
      userId,
      command.conversation_id,
      (actor) => local.rename(actor, command.title),
      (node) => forwarding.rename(node, userId, command),
    )
  }

  async delete(userId: string, command: CommandOf<'conversation.delete'>): Promise<ReplyOf<'conversation.delete'>> {
    const { local, forwarding } = this.#options
    const { conversation_id } = command
    await this.#requireOwn(userId, conversation_id, 'conversation_not_found')
    try {
      return await this.#run(
        userId,
        conversation_id,
        (actor) => local.delete(actor),
        (node) => forwarding.delete(node, userId, command),
      )
    } catch (error) {
      // It was there: this very command has deleted it, and the word of that was lost, or another has.
      if (error instanceof ChatError && error.code === 'conversation_not_found') return { type: 'conversation.deleted', conversation_id }
      throw error
    }
  }

  async stopUnheard(userId: string, turnId: string, forMs: number): Promise<{ readonly askAgainMs: number } | null> {
    const { local, forwarding } = this.#options
    const conversationId = await this.#conversationOfUnfinished(userId, turnId)
    if (conversationId === null) return null
    return this.#run(
      userId,
      conversationId,
      (actor) => local.stopUnheard(actor, turnId, forMs),
      (node) => forwarding.stopUnheard(node, userId, turnId, forMs),
      'turn_not_found',
    )
  }

  async export(userId: string, conversationId: number, signal: AbortSignal): Promise<AsyncGenerator<readonly Message[], void, undefined>> {
    await this.#requireOwn(userId, conversationId, 'conversation_not_found')
    return this.#options.store.exportMessages(conversationId, signal)
  }

  load(): { readonly queue_depth: number; readonly eta_ms: number } {
    const { queueDepth, etaMs } = this.#options.load()
    return { queue_depth: queueDepth, eta_ms: etaMs }
  }

  #accept(userId: string, command: AcceptCommand, origin: Origin = {}): Promise<ReplyOf<'message.send'>> {
    const { local, forwarding } = this.#options
    return this.#run(
      userId,
      command.conversation_id,
      (actor) => local.accept(actor, command, origin),
      (node) => forwarding.accept(node, userId, command, origin),
    )
  }

  async #run<T>(userId: string, conversationId: number, here: (actor: ConversationActor) => Promise<T>, there: (node: string) => Promise<T>, notFound: NotFound = 'conversation_not_found'): Promise<T> {
    const { directory, mirrors, placement } = this.#options
    const owner = mirrors.ownerOf(conversationId)
    const isOwn = this.#created.get(conversationId) === userId
    if (isOwn) this.#created.delete(conversationId)
    if (!isOwn && owner === undefined && directory.peek(conversationId) === undefined) await this.#requireOwn(userId, conversationId, notFound)
    const asUser = (actor: ConversationActor): Promise<T> => {
      // Whose it is not is told the same as where there is none.
      if (actor.state.userId !== userId) throw new ChatError(notFound)
      return here(actor)
    }
    return placement.run(conversationId, asUser, there, { owner })
  }

  /** Null where the turn has ended. Rejects with `turn_not_found`. */
  async #conversationOfUnfinished(userId: string, turnId: string): Promise<number | null> {
    const { store, actorOfTurn } = this.#options
    const active = actorOfTurn(turnId)
    if (active !== undefined) return active.conversationId
    const row = await store.turn(turnId)
    if (row?.userId !== userId) throw new ChatError('turn_not_found')
    return row.state === 'finished' || row.state === 'failed' ? null : row.conversationId
  }

  async #storedTurn(userId: string | null, turnId: string): Promise<TurnStatus | null> {
    const { store } = this.#options
    const row = await store.turn(turnId)
    // A stranger must not learn from the time that a reply was read.
    if (row === null || (userId !== null && row.userId !== userId)) return null
    const ended = row.state === 'finished' || row.state === 'failed'
    const reply = ended ? await store.reply(row.conversationId, row.replyMessageId) : null
    // Gone meanwhile, with its conversation.
    if (ended && reply === null) return null
    return { reply, ...row, model: reply?.message.model ?? row.model }
  }

  /** The oldest is forgotten where there are too many: then it is looked up. */
  #remember(conversationId: number, userId: string): void {
    this.#created.set(conversationId, userId)
    if (this.#created.size > rememberedConversations) this.#created.delete(this.#created.keys().next().value as number)
  }

  /** Looked up before anything is claimed: a stranger's request must not move a conversation. */
  async #requireOwn(userId: string, conversationId: number, notFound: NotFound): Promise<void> {
    const row = await this.#options.store.conversation(conversationId)
    if (row === null || row.userId !== userId) throw new ChatError(notFound)
  }
}

function summary(row: ConversationRow): ConversationSummary {
  return {
    conversation_id: row.conversationId,
    title: row.title,
    ...(row.model === null ? {} : { model: row.model }),
    created_at: new Date(row.createdAt).toISOString(),
    updated_at: new Date(row.updatedAt).toISOString(),
  }
}

function statusOf(conversation: ConversationState, turn: Turn): TurnStatus {
  return { conversationId: conversation.conversationId, userId: conversation.userId, reply: null, ...turn, model: turn.model ?? turn.requestedModel }
}
