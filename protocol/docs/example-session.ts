/** The worked example of docs/protocol.md. A test sends each frame through the codec, so that it stays true. */
import { bucketCount, bucketOfUser, firstSequenceOfMonth, makeId } from '../ids.ts'
import type { Command, ServerMessage } from '../websocket/messages.ts'

export type Step =
  | { readonly say: string }
  | { readonly from: 'client'; readonly frame: Command }
  | { readonly from: 'server'; readonly frame: ServerMessage }

const user = 'user123'
const bucket = bucketOfUser(user)
const turn = `0198c2d4-6f3a-7${((bucket << 2) | 1).toString(16).padStart(3, '0')}-9c5e-2f60a4d1e877`
const conversation = makeId(4217, bucket)
const question = makeId(firstSequenceOfMonth(22) + 1031, bucket)
const reply = question + bucketCount

export const exampleSession: readonly Step[] = [
  { say: 'The client says who it is, and opens a conversation that it has not seen before.' },
  { from: 'client', frame: { type: 'hello', ref: 1, token: 'eyJhbGciOi…', client: 'my-app/1.0' } },
  {
    from: 'server',
    frame: {
      type: 'welcome', ref: 1, session_id: 'k3v9', user_id: user, node_id: 'edge-1', expires_at: '2026-11-24T13:00:00.000Z',
      limits: { frame_bytes: 262144, text_bytes: 32768, frames_per_second: 50, unanswered_commands: 64, open_conversations: 50, waiting_turns: 4 },
      load: { level: 'normal', queue_depth: 0, eta_ms: 0, advice: 'stream' },
    },
  },
  { from: 'client', frame: { type: 'conversation.open', ref: 2, conversation_id: conversation } },
  { from: 'server', frame: { type: 'conversation.opened', ref: 2, conversation_id: conversation, title: 'Physics Discussion', messages: [], active_leaf: null, has_more: false, reset: false, turns: [] } },
  { say: 'It asks a question. The answer says that message and turn are stored; the same facts come as events, as they do to every other device on which the user has the conversation open.' },
  { from: 'client', frame: { type: 'message.send', ref: 3, conversation_id: conversation, client_message_id: 'c-5f1e', text: 'What is light?' } },
  { from: 'server', frame: { type: 'message.accepted', ref: 3, client_message_id: 'c-5f1e', conversation_id: conversation, message_id: question, parent_id: null, turn_id: turn, reply_message_id: reply, state: 'queued', duplicate: false } },
  {
    from: 'server',
    frame: {
      type: 'message.added', conversation_id: conversation,
      message: { message_id: question, role: 'user', content: 'What is light?', parent_id: null, turn_id: turn, client_message_id: 'c-5f1e', created_at: '2026-11-24T12:00:00.000Z' },
    },
  },
  { from: 'server', frame: { type: 'turn.queued', conversation_id: conversation, turn_id: turn, user_message_id: question, message_id: reply, position: 0, eta_ms: 300 } },
  { from: 'server', frame: { type: 'turn.started', conversation_id: conversation, turn_id: turn, user_message_id: question, message_id: reply, attempt: 1, model: 'llama-2-7b-chat' } },
  { from: 'server', frame: { type: 'turn.delta', turn_id: turn, attempt: 1, offset: 0, end: 5, text: 'Light' } },
  { from: 'server', frame: { type: 'turn.delta', turn_id: turn, attempt: 1, offset: 5, end: 16, text: ' is a wave ' } },
  { say: 'Here the connection breaks. The client connects again, perhaps to another server, says `hello`, and opens the conversation with what it holds: the newest message, and sixteen characters of the turn. The reply goes on at the seventeenth.' },
  { from: 'client', frame: { type: 'conversation.open', ref: 5, conversation_id: conversation, cursor: { message_id: question, turn_id: turn, attempt: 1, offset: 16 } } },
  {
    from: 'server',
    frame: {
      type: 'conversation.opened', ref: 5, conversation_id: conversation, title: 'Physics Discussion', messages: [], active_leaf: question, has_more: false, reset: false,
      turns: [{ turn_id: turn, user_message_id: question, message_id: reply, attempt: 1, offset: 16, end: 20, text: 'and ', state: 'running', model: 'llama-2-7b-chat' }],
    },
  },
  { from: 'server', frame: { type: 'turn.delta', turn_id: turn, attempt: 1, offset: 20, end: 31, text: 'a particle.' } },
  {
    from: 'server',
    frame: {
      type: 'turn.finished', turn_id: turn, attempt: 1, message_id: reply, reason: 'stop', end: 31,
      usage: { prompt_tokens: 23, completion_tokens: 9 }, timing: { queue_ms: 4, ttft_ms: 120, total_ms: 870 }, model: 'llama-2-7b-chat', cached: false, cost_usd: 0.000012,
    },
  },
]
