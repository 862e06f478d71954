/** What carries out the operations of the REST API. */
import type { restOperations } from '../../protocol/rest/operations.ts'
import type { Tickets } from '../auth/tickets.ts'
import { json } from '../http/answer.ts'
import type { Handlers } from '../http/operation-group.ts'
import { requireUser } from './acting-user.ts'
import { chatHandlers, type ChatContext } from './chat-handlers.ts'
import { conversationHandlers, type ConversationContext } from './conversation-handlers.ts'
import { turnHandlers } from './turn-handlers.ts'

export interface RestContext extends ChatContext, ConversationContext {
  readonly tickets: Tickets
}

export function restHandlers(context: RestContext): Handlers<typeof restOperations> {
  return {
    ...chatHandlers(context),
    ...turnHandlers(context),
    ...conversationHandlers(context),
    createTicket: async ({ identity, headers }) => {
      const { ticket, expiresAt } = await context.tickets.issue(identity, requireUser(identity, { header: headers['x-user-id'] }))
      return json(201, { ticket, expires_at: new Date(expiresAt).toISOString() })
    },
  }
}
