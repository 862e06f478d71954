/** Limits the turns that a user may start, at the door of the process where the user is: forwarded commands were counted there. */
import { ChatError } from '../protocol/errors.ts'
import type { CommandOf, ReplyOf } from '../protocol/websocket/messages.ts'
import type { Limit, LimitVerdict } from '../platform/limits/limits.ts'
import type { ConversationStore } from '../storage/conversation-store.ts'
import type { ConversationService } from './conversation-service.ts'

type TurnCommand = CommandOf<'message.send'> | CommandOf<'message.edit'> | CommandOf<'turn.regenerate'>

export interface TurnLimitOptions {
  readonly limit: Limit
  readonly store: Pick<ConversationStore, 'acceptedTurn'>
}

/**
 * Sends, edits and regenerates beyond the limit reject with ChatError `rate_limited`, with the time to wait. Only turns
 * that are accepted count, once: a repetition is free and is never refused for the limit, as it is to get its first answer.
 */
export function limitTurns(service: ConversationService, { limit, store }: TurnLimitOptions): ConversationService {
  /** The last look at each user's limit that is under way. */
  const looks = new Map<string, Promise<LimitVerdict>>()

  /** One after another for each user, so that no command overtakes one before it. */
  const take = (userId: string): Promise<LimitVerdict> => {
    const look = (looks.get(userId) ?? Promise.resolve()).then(() => limit.take(userId)).finally(() => {
      if (looks.get(userId) === look) looks.delete(userId)
    })
    looks.set(userId, look)
    return look
  }

  const start = async (userId: string, command: TurnCommand, accept: () => Promise<ReplyOf<'message.send'>>): Promise<ReplyOf<'message.send'>> => {
    const { allowed, retryAfterMs } = await take(userId)
    if (!allowed && (await store.acceptedTurn(command.conversation_id, command.client_message_id)) === null) {
      throw new ChatError('rate_limited', 'Too many messages at once.', { retryAfterMs })
    }
    let used = false
    try {
      const reply = await accept()
      used = !reply.duplicate
      return reply
    } finally {
      if (allowed && !used) void limit.giveBack(userId)
    }
  }

  return {
    create: (userId, command, creation) => service.create(userId, command, creation),
    list: (userId, command) => service.list(userId, command),
    history: (userId, command) => service.history(userId, command),
    open: (userId, command, connection, onMoved) => service.open(userId, command, connection, onMoved),
    send: (userId, command, origin) => start(userId, command, () => service.send(userId, command, origin)),
    edit: (userId, command, origin) => start(userId, command, () => service.edit(userId, command, origin)),
    regenerate: (userId, command, origin) => start(userId, command, () => service.regenerate(userId, command, origin)),
    stop: (userId, command) => service.stop(userId, command),
    follow: (userId, turn, client, onMoved) => service.follow(userId, turn, client, onMoved),
    turn: (userId, turnId) => service.turn(userId, turnId),
    ownerOf: (conversationId) => service.ownerOf(conversationId),
    load: () => service.load(),
  }
}
