/** Which call of the actors answers which command. */
import type { ChatError } from '../../protocol/errors.ts'
import type { Command, CommandOf, Reply, ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConversationService, TurnOrigin } from '../../actors/conversation-service.ts'

/** Commands whose reply is small: they run as they come, also while the connection takes nothing. */
export type DirectCommand = CommandOf<'conversation.create' | 'conversation.rename' | 'conversation.delete' | 'message.send' | 'message.edit' | 'turn.regenerate' | 'turn.stop' | 'auth.refresh' | 'pace.set' | 'ping'>
/** Commands whose reply may be a page of 256 KiB, and those that must keep their order with them: one at a time, once the connection is writable. */
export type OrderedCommand = CommandOf<'conversation.list' | 'conversation.open' | 'conversation.close' | 'history.get'>

const ordered: ReadonlySet<Command['type']> = new Set<OrderedCommand['type']>(['conversation.list', 'conversation.open', 'conversation.close', 'history.get'])

export function isOrdered(command: DirectCommand | OrderedCommand): command is OrderedCommand {
  return ordered.has(command.type)
}

export function perform(service: ConversationService, userId: string, command: Exclude<DirectCommand, { type: 'auth.refresh' | 'pace.set' }> | CommandOf<'conversation.list' | 'history.get'>, origin: TurnOrigin): Promise<Reply> {
  switch (command.type) {
    case 'conversation.create':
      return service.create(userId, command)
    case 'conversation.rename':
      return service.rename(userId, command)
    case 'conversation.delete':
      return service.delete(userId, command)
    case 'conversation.list':
      return service.list(userId, command)
    case 'history.get':
      return service.history(userId, command)
    case 'message.send':
      return service.send(userId, command, origin)
    case 'message.edit':
      return service.edit(userId, command, origin)
    case 'turn.regenerate':
      return service.regenerate(userId, command, origin)
    case 'turn.stop':
      return service.stop(userId, command)
    case 'ping':
      return Promise.resolve({ type: 'pong' } satisfies ReplyOf<'ping'>)
  }
}

/** The reply to a command that failed. */
export function errorReply(ref: string | number | undefined, error: ChatError, pointer?: string): Reply {
  return { type: 'error', ...(ref === undefined ? {} : { ref }), ...error.toPublic(), ...(pointer === undefined ? {} : { pointer }) }
}
