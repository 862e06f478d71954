/**
 * The client's half of the codec: it writes commands and reads what the server sends. Apart from the server's half so
 * that a page needs neither the schemas nor `new Function`, which a strict content security policy forbids.
 */
import { ChatError } from '../errors.ts'
import { readMsgpack } from '../msgpack/reader.ts'
import { writeMsgpack } from '../msgpack/writer.ts'
import type { Command, ServerMessage } from './messages.ts'
import type { Subprotocol } from './subprotocols.ts'

/** A Record, so that a message missing here does not compile. */
const known: Record<ServerMessage['type'], true> = {
  'auth.expiring': true,
  'auth.refreshed': true,
  'conversation.closed': true,
  'conversation.created': true,
  'conversation.deleted': true,
  'conversation.opened': true,
  'conversation.renamed': true,
  'conversation.updated': true,
  conversations: true,
  error: true,
  history: true,
  'message.accepted': true,
  'message.added': true,
  'pace.changed': true,
  pong: true,
  'server.draining': true,
  'server.load': true,
  'turn.delta': true,
  'turn.failed': true,
  'turn.finished': true,
  'turn.queued': true,
  'turn.started': true,
  'turn.stopped': true,
  welcome: true,
}
const knownTypes: ReadonlySet<unknown> = new Set(Object.keys(known))

export function encodeCommand(subprotocol: Subprotocol, command: Command): string | Uint8Array {
  return subprotocol === 'chatterbot.v1.msgpack' ? writeMsgpack(command) : JSON.stringify(command)
}

/**
 * What the server sent, or null for a type that this version does not know and is to ignore. The fields are taken on
 * trust, as they come from the server that holds the user's conversations anyway. Throws ChatError bad_frame for bytes
 * that are no message at all.
 */
export function decodeServerMessage(subprotocol: Subprotocol, data: string | Uint8Array): ServerMessage | null {
  const message = parse(subprotocol, data)
  if (typeof message !== 'object' || message === null || !('type' in message) || typeof message.type !== 'string') throw new ChatError('bad_frame')
  return knownTypes.has(message.type) ? (message as ServerMessage) : null
}

function parse(subprotocol: Subprotocol, data: string | Uint8Array): unknown {
  try {
    if (subprotocol === 'chatterbot.v1.json' && typeof data === 'string') return JSON.parse(data)
    if (subprotocol === 'chatterbot.v1.msgpack' && typeof data !== 'string') return readMsgpack(data, { binary: false })
  } catch (error) {
    throw new ChatError('bad_frame', undefined, { cause: error })
  }
  throw new ChatError('bad_frame', 'A frame of the wrong kind: text is JSON, binary is MessagePack.')
}
