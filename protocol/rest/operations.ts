/** Every operation of the REST API, by its id in the OpenAPI document. */
import { chat, streamChat } from './chat.ts'
import { createConversation, deleteConversation, exportConversation, getConversation, listConversations, listMessages, renameConversation } from './conversations.ts'
import { createTicket } from './create-ticket.ts'
import { streamReply } from './stream-reply.ts'
import { getTurn, stopTurn } from './turns.ts'

export const restOperations = { chat, streamChat, streamReply, createConversation, listConversations, getConversation, renameConversation, deleteConversation, exportConversation, listMessages, getTurn, stopTurn, createTicket }
