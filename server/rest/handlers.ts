/** What carries out the operations of the REST API. */
import type { restOperations } from '../../protocol/rest/operations.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import type { Tickets } from '../auth/tickets.ts'
import { json } from '../http/answer.ts'
import type { Handlers } from '../http/operation-group.ts'
import { requireUser } from './acting-user.ts'

export interface RestContext {
  readonly service: ConversationService
  readonly tickets: Tickets
}

export function restHandlers({ service, tickets }: RestContext): Handlers<typeof restOperations> {
  return {
    listConversations: async ({ identity, query, headers }) => {
      const { conversations, has_more } = await service.list(requireUser(identity, headers['x-user-id']), { type: 'conversation.list', ...query })
      return json(200, { conversations, has_more })
    },
    createTicket: async ({ identity, headers }) => {
      const { ticket, expiresAt } = await tickets.issue(identity, requireUser(identity, headers['x-user-id']))
      return json(201, { ticket, expires_at: new Date(expiresAt).toISOString() })
    },
  }
}
