/** Conversations, and what was said in them. */
import { createHash } from 'node:crypto'
import type { createConversation, deleteConversation, exportConversation, getConversation, listConversations, listMessages, renameConversation } from '../../protocol/rest/conversations.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { json } from '../http/answer.ts'
import type { Handlers } from '../http/operation-group.ts'
import { idOfKey } from '../turns/begin-turn.ts'
import { ownerFor, requireUser } from './acting-user.ts'
import { conversationExport } from './conversation-export.ts'
import { wholeSeconds } from './whole-seconds.ts'

type Operations = {
  readonly createConversation: typeof createConversation
  readonly listConversations: typeof listConversations
  readonly getConversation: typeof getConversation
  readonly renameConversation: typeof renameConversation
  readonly deleteConversation: typeof deleteConversation
  readonly exportConversation: typeof exportConversation
  readonly listMessages: typeof listMessages
}

export interface ConversationContext {
  readonly service: ConversationService
  readonly logger: Logger
}

export function conversationHandlers({ service, logger }: ConversationContext): Handlers<Operations> {
  return {
    createConversation: async ({ body, headers, identity }) => {
      const { user_id, title, model, system } = body
      const key = headers['idempotency-key']
      const created = await service.create(requireUser(identity, { header: headers['x-user-id'], field: user_id }), {
        type: 'conversation.create',
        ...(key === undefined ? {} : { client_conversation_id: idOfKey('key', 'conversation', key) }),
        ...(title === undefined || title === null ? {} : { title }),
        ...(model === undefined ? {} : { model }),
        ...(system === undefined ? {} : { system }),
      })
      const { conversation_id } = created
      return json(200, { conversation_id, title: created.title, created_at: wholeSeconds(created.created_at) }, { Location: `/conversations/${conversation_id}` })
    },
    listConversations: async ({ identity, query, headers }) => {
      const { user_id, ...page } = query
      const { conversations, has_more } = await service.list(requireUser(identity, { header: headers['x-user-id'], field: user_id }), { type: 'conversation.list', ...page })
      const last = conversations.at(-1)
      const next = last !== undefined && has_more ? nextPage('/conversations', { user_id, limit: page.limit, before: last.conversation_id }) : {}
      return json(200, { conversations, has_more }, next)
    },
    getConversation: async ({ params, headers, identity }) => {
      const { conversation_id } = params
      return json(200, await service.conversation(await ownerFor(service, identity, headers['x-user-id'], conversation_id), conversation_id))
    },
    renameConversation: async ({ params, headers, identity, body }) => {
      const { conversation_id } = params
      const renamed = await service.rename(await ownerFor(service, identity, headers['x-user-id'], conversation_id), { type: 'conversation.rename', conversation_id, title: body.title })
      return json(200, { conversation_id, title: renamed.title, updated_at: wholeSeconds(renamed.updated_at) })
    },
    deleteConversation: async ({ params, headers, identity }) => {
      const { conversation_id } = params
      await service.delete(await ownerFor(service, identity, headers['x-user-id'], conversation_id), { type: 'conversation.delete', conversation_id })
      return { status: 204, headers: {}, body: null }
    },
    exportConversation: async ({ params, headers, identity, request }) => {
      const { conversation_id } = params
      const userId = await ownerFor(service, identity, headers['x-user-id'], conversation_id)
      const leaving = new AbortController()
      request.onGone(() => leaving.abort())
      const batches = await service.export(userId, conversation_id, leaving.signal)
      return conversationExport(conversation_id, batches, (error) => logger.error({ err: error, conversation: conversation_id }, 'an export broke off'))
    },
    listMessages: async ({ params, query, headers, identity }) => {
      const { conversation_id } = params
      const userId = await ownerFor(service, identity, headers['x-user-id'], conversation_id)
      const { messages, has_more } = await service.history(userId, { type: 'history.get', conversation_id, ...query })
      const oldest = messages[0]
      const next = oldest !== undefined && has_more ? nextPage(`/conversations/${conversation_id}/messages`, { limit: query.limit, before: oldest.message_id }) : {}
      const page = { conversation_id, messages: messages.map(({ message_id, role, content, created_at }) => ({ id: message_id, role, content, timestamp: wholeSeconds(created_at) })) }
      const answer = json(200, page, next)
      const etag = etagOf(answer.body as string)
      const tagged = { ...answer.headers, ETag: etag, 'Cache-Control': 'private, no-cache' }
      return matches(headers['if-none-match'], etag) ? { status: 304, headers: tagged, body: null } : { ...answer, headers: tagged }
    },
  }
}

/** RFC 8288. */
function nextPage(path: string, query: Readonly<Record<string, string | number | undefined>>): { readonly Link: string } {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]))
  return { Link: `<${path}?${given.join('&')}>; rel="next"` }
}

function etagOf(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
}

/** RFC 9110, 13.1.2: a list of tags, compared weakly. */
function matches(header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}
