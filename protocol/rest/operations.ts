/** Every operation of the REST API, by its id in the OpenAPI document. */
import { createTicket } from './create-ticket.ts'
import { listConversations } from './list-conversations.ts'

export const restOperations = { listConversations, createTicket }
