/** docs/asyncapi.json: the WebSocket protocol as AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0). */
import type { TSchema } from 'typebox'
import { commands, ErrorReply, events, type CommandType, type EventType } from '../websocket/messages.ts'
import { namedSchemas, withReferencesWithin } from './references.ts'
import { commandSummaries, errorSummary, eventSummaries, replySummaries } from './summaries.ts'

const channel = { $ref: '#/channels/chat' }
const inChannel = (type: string): object => ({ $ref: `#/channels/chat/messages/${type}` })

export function asyncapiDocument(): object {
  const commandTypes = Object.keys(commands) as CommandType[]
  const eventTypes = Object.keys(events) as EventType[]
  const messages: Record<string, object> = {}
  for (const type of commandTypes) messages[type] = message(type, commandSummaries[type], commands[type].command)
  for (const type of commandTypes) messages[replyTypeOf(type)] ??= message(replyTypeOf(type), replySummaries[type], commands[type].reply)
  for (const type of eventTypes) messages[type] = message(type, eventSummaries[type], events[type])
  messages['error'] = message('error', errorSummary, ErrorReply)

  const receive = commandTypes.map((type) => [type, { action: 'receive', channel, summary: commandSummaries[type], messages: [inChannel(type)], reply: { channel, messages: [inChannel(replyTypeOf(type)), inChannel('error')] } }])
  const send = eventTypes.map((type) => [type, { action: 'send', channel, summary: eventSummaries[type], messages: [inChannel(type)] }])
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'ChatterBot',
      version: '1',
      description: 'The WebSocket protocol chatterbot.v1. In the subprotocol chatterbot.v1.json a frame is one of these messages as JSON text, in chatterbot.v1.msgpack the same as a MessagePack map. docs/protocol.md tells what is promised.',
    },
    defaultContentType: 'application/json',
    channels: {
      chat: {
        address: '/ws',
        messages: Object.fromEntries(Object.keys(messages).map((type) => [type, { $ref: `#/components/messages/${type}` }])),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: Object.fromEntries([...receive, ...send]),
    components: {
      messages,
      schemas: namedSchemas(),
    },
  }
}

function replyTypeOf(type: CommandType): string {
  return commands[type].reply.properties.type.const
}

function message(type: string, summary: string, schema: TSchema): object {
  return { name: type, title: type, summary, payload: withReferencesWithin(schema) }
}
