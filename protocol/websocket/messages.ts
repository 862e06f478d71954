/** Every message of `chatterbot.v1`, by direction. The schemas' hash is tested, so that the wire never changes unnoticed. */
import type { Permission } from '../permissions.ts'
import { AuthRefresh, AuthRefreshed } from './commands/auth-refresh.ts'
import { ConversationClose, ConversationClosed } from './commands/conversation-close.ts'
import { ConversationCreate, ConversationCreated } from './commands/conversation-create.ts'
import { ConversationDelete, ConversationDeleted } from './commands/conversation-delete.ts'
import { ConversationList, Conversations } from './commands/conversation-list.ts'
import { ConversationOpen, ConversationOpened } from './commands/conversation-open.ts'
import { ConversationRename, ConversationRenamed } from './commands/conversation-rename.ts'
import { Hello, Welcome } from './commands/hello.ts'
import { History, HistoryGet } from './commands/history-get.ts'
import { MessageEdit } from './commands/message-edit.ts'
import { MessageAccepted, MessageSend } from './commands/message-send.ts'
import { PaceChanged, PaceSet } from './commands/pace-set.ts'
import { Ping, Pong } from './commands/ping.ts'
import { TurnRegenerate } from './commands/turn-regenerate.ts'
import { TurnStop, TurnStopped } from './commands/turn-stop.ts'
import { AuthExpiring } from './events/auth-expiring.ts'
import { ConversationUpdated } from './events/conversation-updated.ts'
import { ErrorReply } from './events/error.ts'
import { MessageAdded } from './events/message-added.ts'
import { ServerDraining } from './events/server-draining.ts'
import { ServerLoad } from './events/server-load.ts'
import { TurnDelta } from './events/turn-delta.ts'
import { TurnFailed } from './events/turn-failed.ts'
import { TurnFinished } from './events/turn-finished.ts'
import { TurnQueued } from './events/turn-queued.ts'
import { TurnStarted } from './events/turn-started.ts'
import type { Static } from 'typebox'

/**
 * Client to server. Each gets exactly one reply: the named one, or `error`. `permission` is what the credentials must
 * allow; null: nothing, as for what makes a connection or keeps it.
 */
export const commands = {
  hello: { command: Hello, reply: Welcome, permission: null },
  'auth.refresh': { command: AuthRefresh, reply: AuthRefreshed, permission: null },
  'conversation.create': { command: ConversationCreate, reply: ConversationCreated, permission: 'conversations:write' },
  'conversation.open': { command: ConversationOpen, reply: ConversationOpened, permission: 'conversations:read' },
  'conversation.close': { command: ConversationClose, reply: ConversationClosed, permission: 'conversations:read' },
  'conversation.list': { command: ConversationList, reply: Conversations, permission: 'conversations:read' },
  'conversation.rename': { command: ConversationRename, reply: ConversationRenamed, permission: 'conversations:write' },
  'conversation.delete': { command: ConversationDelete, reply: ConversationDeleted, permission: 'conversations:write' },
  'message.send': { command: MessageSend, reply: MessageAccepted, permission: 'turns:write' },
  'message.edit': { command: MessageEdit, reply: MessageAccepted, permission: 'turns:write' },
  'turn.regenerate': { command: TurnRegenerate, reply: MessageAccepted, permission: 'turns:write' },
  'turn.stop': { command: TurnStop, reply: TurnStopped, permission: 'turns:write' },
  'history.get': { command: HistoryGet, reply: History, permission: 'conversations:read' },
  'pace.set': { command: PaceSet, reply: PaceChanged, permission: null },
  ping: { command: Ping, reply: Pong, permission: null },
} as const satisfies Record<string, { readonly command: unknown; readonly reply: unknown; readonly permission: Permission | null }>

/** Server to client, unasked. */
export const events = {
  'message.added': MessageAdded,
  'conversation.updated': ConversationUpdated,
  'conversation.deleted': ConversationDeleted,
  'turn.queued': TurnQueued,
  'turn.started': TurnStarted,
  'turn.delta': TurnDelta,
  'turn.finished': TurnFinished,
  'turn.failed': TurnFailed,
  'auth.expiring': AuthExpiring,
  'server.load': ServerLoad,
  'server.draining': ServerDraining,
} as const

export { ErrorReply }

export type CommandType = keyof typeof commands
export type Command = { [T in CommandType]: Static<(typeof commands)[T]['command']> }[CommandType]
export type CommandOf<T extends CommandType> = Static<(typeof commands)[T]['command']>
export type ReplyOf<T extends CommandType> = Static<(typeof commands)[T]['reply']>
export type Reply = { [T in CommandType]: ReplyOf<T> }[CommandType] | Static<typeof ErrorReply>
export type EventType = keyof typeof events
export type ServerEvent = { [T in EventType]: Static<(typeof events)[T]> }[EventType]
export type ServerMessage = Reply | ServerEvent
