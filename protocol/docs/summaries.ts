/** One sentence or two about each message, for the generated pages. Records, so that a message without one does not compile. */
import type { CommandType, EventType } from '../websocket/messages.ts'

export const commandSummaries: Record<CommandType, string> = {
  hello: 'The first command of a connection: says who is there.',
  'auth.refresh': 'Replaces the credentials of the connection before they expire.',
  'conversation.create': 'Creates a conversation. With `client_conversation_id`, sending it again creates nothing and gets the first answer.',
  'conversation.open': 'Asks for what a conversation holds beyond the cursor, and for its events from then on.',
  'conversation.close': 'Ends the events of a conversation on this connection. Its turns go on.',
  'conversation.list': 'A page of the user’s conversations.',
  'conversation.rename': 'Gives a conversation another title.',
  'conversation.delete': 'Deletes a conversation and all that it holds, for everyone and for good. What is under way in it stops.',
  'message.send': 'Says something, and so begins a turn. Accepted while another turn runs, it waits for that one to end.',
  'message.edit': 'Says a message of the user anew, as its sibling, and so begins a turn on a new branch. Stops the running turn.',
  'turn.regenerate': 'Asks for another reply to the same message, as a sibling of the one it has. Stops the running turn.',
  'turn.stop': 'Ends a turn with the text it has. The turn ends for everyone by `turn.finished` with reason `stopped`.',
  'history.get': 'A page of a conversation’s older messages.',
  'pace.set': 'Chooses whether the text of replies comes on this connection as it is written, or at once before their end. Clients change it as `load.advice` does.',
  ping: 'Proves that the connection lives. Any command does; this one does nothing else.',
}

export const replySummaries: Record<CommandType, string> = {
  hello: 'Who the server takes the client for, what limits hold, and how busy it is.',
  'auth.refresh': 'The new credentials hold.',
  'conversation.create': 'The conversation is stored.',
  'conversation.open': 'The state of the conversation. Its events follow, and none comes before.',
  'conversation.close': 'No more events of it come.',
  'conversation.list': 'The page.',
  'conversation.rename': 'The title is stored. All who have the conversation open are told by `conversation.updated`.',
  'conversation.delete': 'It is gone: another `conversation.delete` gets `conversation_not_found`.',
  'message.send': 'The message and its turn are stored. `duplicate` is true where an earlier command with the same `client_message_id` had done it.',
  'message.edit': 'As for `message.send`.',
  'turn.regenerate': 'As for `message.send`.',
  'turn.stop': 'The turn has ended, or is about to.',
  'history.get': 'The page.',
  'pace.set': 'Of all conversations that are open and will be. Where it is `live` again, what is written already follows.',
  ping: 'The connection lives.',
}

export const eventSummaries: Record<EventType, string> = {
  'message.added': 'A message of a user was stored, whoever sent it. Replies come as turns.',
  'conversation.updated': 'The conversation’s title changed.',
  'conversation.deleted': 'The conversation was deleted, by whomever. Its turns have ended before, and nothing of it follows.',
  'turn.queued': 'A turn was accepted, or its place in the queue changed (told at most once a second).',
  'turn.started': 'A model began the reply, or began it anew: with a higher `attempt` than before, drop what you showed of the turn.',
  'turn.delta': 'A piece of the reply: `text` stands from `offset` to `end`.',
  'turn.finished': 'The reply is complete and stored. Its text is what the deltas of this attempt said, up to `end`.',
  'turn.failed': 'The reply could not be completed. What there is of it, up to `end`, is stored.',
  'auth.expiring': 'The credentials expire at this time: a minute from now, or less where they live for less than two. Send `auth.refresh`, or the connection is closed with 4401.',
  'server.load': 'How busy the server is, when that changes, and whether to stream or to ask again later.',
  'server.draining': 'This server is about to stop. Connect anew after the given time; nothing is lost by it.',
}

export const errorSummary = 'The reply to a command that failed; without `ref`, a fault of the connection itself.'
