/** docs/protocol.md: what the schemas cannot say is written here; the tables are made from the schemas. */
import { closeCodes } from '../websocket/close-codes.ts'
import { limits } from '../websocket/limits.ts'
import { commands, ErrorReply, events, type CommandType, type EventType } from '../websocket/messages.ts'
import { defaultSubprotocol, subprotocols } from '../websocket/subprotocols.ts'
import { exampleSession } from './example-session.ts'
import { fieldTable, namedObjects } from './field-tables.ts'
import { commandSummaries, errorSummary, eventSummaries, replySummaries } from './summaries.ts'

const kib = (bytes: number): string => `${bytes / 1024} KiB`

export function protocolPage(): string {
  return `${introduction}

${conceptsAndPromises}

## An example

\`→\` is the client, \`←\` the server. Each frame is one line of JSON.

${example()}

${reconnecting}

## Commands

Each gets exactly one reply, its own or [\`error\`](#error). Every command may carry \`ref\`, a string of at most ${limits.refLength} characters or a number, which its reply echoes; the tables leave out \`type\` and \`ref\`. Replies may come in another order than their commands, except that the commands of one conversation are carried out in the order in which they came.

${(Object.keys(commands) as CommandType[]).map(commandSection).join('\n\n')}

### error

${errorSummary} The codes are listed in [errors.md](errors.md).

${fieldTable(ErrorReply, ['type', 'ref'])}

## Events

The server sends these unasked. A client ignores events and fields that it does not know.

${(Object.keys(events) as EventType[]).map((type) => `### ${type}\n\n${eventSummaries[type]}\n\n${fieldTable(events[type], ['type'])}`).join('\n\n')}

## Objects

${Object.entries(namedObjects).map(([name, schema]) => `### ${name}\n\n${fieldTable(schema)}`).join('\n\n')}

## Close codes

| code | meaning | reconnect by itself |
|---|---|---|
${Object.entries(closeCodes).map(([code, { name, reconnect }]) => `| ${code} | ${name} | ${reconnect ? 'yes, with backoff' : 'no'} |`).join('\n')}

A code that is not listed counts as a lost connection. After 4401 a client may connect again with new credentials.

## Limits

| limit | value |
|---|---|
| one frame | ${kib(limits.frameBytes)} |
| text of one message | ${kib(limits.textBytes)} of UTF-8 |
| one page of messages (\`conversation.opened\`, \`history\`) | ${limits.pageMessages} messages and ${kib(limits.pageBytes)} of content |
| turns of a conversation that wait behind the running one | ${limits.waitingTurns} |
| unanswered commands of a connection | ${limits.unansweredCommands} |
| time from connecting to \`hello\` | ${limits.helloTimeoutMs / 1000} s |
| a client pings every | ${limits.pingIntervalMs / 1000} s |
| a client reconnects after a silence of | ${limits.silenceMs / 1000} s |

\`welcome\` tells those that hold on this connection; a deployment may set them otherwise. 32 KiB of text may grow sixfold when a JSON writer escapes every character, which is why a frame may be larger than a text.
`
}

function commandSection(type: CommandType): string {
  const { command, reply, permission } = commands[type]
  const replyType = reply.properties.type.const
  const answer =
    type === 'message.edit' || type === 'turn.regenerate'
      ? 'Reply: [`message.accepted`](#messagesend), as for `message.send`.'
      : `Reply: \`${replyType}\`. ${replySummaries[type]}\n\n${fieldTable(reply, ['type', 'ref'])}`
  const needs = permission === null ? '' : ` Needs the permission \`${permission}\`.`
  return `### ${type}\n\n${commandSummaries[type]}${needs}\n\n${fieldTable(command, ['type', 'ref'])}\n\n${answer}`
}

function example(): string {
  return exampleSession
    .reduce<string[]>((blocks, step) => {
      if ('say' in step) return [...blocks, step.say]
      const line = `${step.from === 'client' ? '→' : '←'} ${JSON.stringify(step.frame)}`
      const last = blocks.at(-1)
      return last?.startsWith('```') === true ? [...blocks.slice(0, -1), last.replace(/\n```$/, `\n${line}\n\`\`\``)] : [...blocks, `\`\`\`\n${line}\n\`\`\``]
    }, [])
    .join('\n\n')
}

const introduction = `<!-- Generated from protocol/ by protocol/docs/generate.ts. Do not edit. -->

# The WebSocket protocol chatterbot.v1

A client talks to ChatterBot over one WebSocket, at \`GET /ws\`. The client in \`client/\` speaks this protocol for browsers and Node; this page is for those who write another, and for those who want to know what is promised. [asyncapi.json](asyncapi.json) says the same to programs.

## Connecting

Offer one of the subprotocols ${subprotocols.map((name) => `\`${name}\``).join(' and ')}; a client that offers none gets \`${defaultSubprotocol}\`. In JSON every frame is a text frame with one object. In MessagePack every frame is a binary frame with the same object as a map with string keys: no extension types, no binary; ids are integers of up to 53 bits, so read 64-bit integers as numbers. Objects nest at most 16 deep. A frame of the wrong kind, or one that is not such an object, is answered by \`error\` with code \`bad_frame\`, and the connection is closed with 4400.

Every frame has \`type\`. The first command is \`hello\`, within ${limits.helloTimeoutMs / 1000} s; after \`welcome\` the others may follow, several at a time. Version 1 only ever adds: ignore fields and events that you do not know. The server ignores fields that it does not know, and answers a command that it does not know by \`error\` with code \`unknown_type\`.

Where the server asks for credentials, they come in \`token\` of \`hello\`, in the handshake's \`Authorization: Bearer\` or \`X-API-Key\`, or as a single-use ticket in its address, \`GET /ws?ticket=…\`, which is what a page can do whose server keeps the credentials. Refused, they are answered by \`error\` with code \`unauthenticated\`, and the connection is closed with 4401. Each command names the permission that it needs; without it the answer is \`forbidden\`. [authentication.md](authentication.md) tells more.`

const conceptsAndPromises = `## Concepts

**Conversation.** A tree of messages of one user. Each message names its parent; siblings are branches, made by editing a message or by asking for another reply. Ids of messages rise within a conversation, so that the newest is the highest.

**Turn.** A message of the user and the reply to it, from \`message.accepted\` to \`turn.finished\` or \`turn.failed\`. One turn of a conversation runs at a time, and up to ${limits.waitingTurns} wait behind it. A turn is *waiting* (behind the running one), *queued* (for a model), *running*, or *resuming* (its generation is being taken over after a fault; the text goes on in a moment).

**Position.** A place in a reply is \`(turn_id, attempt, offset)\`. \`offset\` counts UTF-16 code units, as JavaScript's and Java's strings do, and never lies inside a surrogate pair. Every delta says where it begins (\`offset\`) and ends (\`end\`). Store \`end\`; do not count characters yourself.

**Attempt.** Rises only when a reply had to begin anew and may read differently. It begins at 1, and for most turns it stays there, as a reply whose model or server died goes on where it was. When you see a higher attempt, drop what you showed of the turn. Ignore events of a lower one.

**Cursor.** What a client holds of a conversation, sent with \`conversation.open\`: \`message_id\` of the newest message, and the position in its oldest unfinished turn, that of the lowest reply id, whichever runs first. The server answers with what lies beyond.

**Idempotency key.** \`client_message_id\` is chosen by the client, one for each thing the user says. Sent again, after a timeout or on another connection, the same command starts nothing and gets the first answer with \`duplicate: true\`. With other content it is refused with \`idempotency_conflict\`.

## Promises

1. \`message.accepted\` means stored: no crash of any process loses the message or its turn.
2. Every accepted turn ends in exactly one \`turn.finished\` or \`turn.failed\`, and its reply is stored, even if it is partial or empty, for as long as its conversation is not deleted.
3. The deltas of a turn's last attempt, joined, are the reply that is stored: nothing missing, doubled or out of order.
4. A repeated \`client_message_id\` starts nothing.
5. A client that reconnects with its cursor gets the very next character, from whichever server, while the same generation goes on.`

const reconnecting = `## Reconnecting

Open every conversation anew with its cursor. In \`conversation.opened\`:

- \`messages\` are those above the cursor, or above the user message of the cursor's turn where that is older: you may hold some of them already, so key them by \`message_id\`. A turn that ended while you were away is among them as its reply, with \`reason\`.
- \`turns\` are the unfinished turns. The text of the cursor's turn begins at your offset, that of others at 0. An \`attempt\` above yours begins at 0: drop what you showed. Where the text begins before the end of what you hold, take what lies beyond.
- \`has_more\` with a cursor means that more has been said than one page holds: drop the older messages that you hold, and fetch them with \`history.get\` when somebody scrolls there. Without a cursor it means that there is an older page.
- \`reset\` means that the server could not use the cursor: drop your copy, and take what this message says.

A conversation may be opened again on the same connection, from its cursor, whenever you have missed something. \`conversation.closed\` that you did not ask for means that the server let go of the conversation: open it again, too. Where that gets \`conversation_not_found\`, it was deleted.

Then send every command again that was not answered. Sends, edits and regenerations are safe to repeat, as they carry their key.

If a delta's \`offset\`, or a turn's \`end\` when it finishes, lies beyond the end of what you hold, you have missed something.

Wait before reconnecting: a random time between nothing and a limit that doubles with each failure, so that the clients of a lost server do not return as one. After \`server.draining\` connect anew once \`reconnect_after_ms\` has passed; it is different for each client. The close codes below tell when not to.

## Slow clients

The server keeps no queue for a connection that does not read, only the position up to which it has sent. When the connection drains, all text that has arrived meanwhile comes in one delta. A connection that takes nothing for 30 s is closed with 4430; reconnecting brings it up to date.

## Text

Text is well-formed Unicode without U+0000, at most ${kib(limits.textBytes)} of UTF-8 a message. Lone surrogates, which JSON can write as escapes, are refused with \`text_not_well_formed\`.`
