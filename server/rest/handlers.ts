/** What carries out the operations of the REST API. */
import type { restOperations } from '../../protocol/rest/operations.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import { json } from '../http/answer.ts'
import type { Handlers } from '../http/operation-group.ts'
import { requireUser } from './acting-user.ts'

export interface RestContext {
  readonly service: ConversationService
}

export function restHandlers({ service }: RestContext): Handlers<typeof restOperations> {
  return {
    listConversations: async ({ identity, query, headers }) => {
      const { conversations, has_more } = await service.list(requireUser(identity, headers['x-user-id']), { type: 'conversation.list', ...query })
      return json(200, { conversations, has_more })
    },
  }
}
