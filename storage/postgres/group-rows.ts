/** The rows that a group writes, as the arrays that its statements take. */
import type { AcceptTurn, BeginTurn, EndTurn } from '../conversation-store.ts'
import type { StoredTurn } from './rows.ts'
import type { BoundStatement } from './shard.ts'
import type { Statement } from './statement.ts'
import { insertMessages } from './statements/insert-messages.ts'
import { insertTurns } from './statements/insert-turns.ts'
import { updateConversations } from './statements/update-conversations.ts'
import { updateTurns } from './statements/update-turns.ts'

type Value = string | number | boolean | Buffer | null

export class GroupRows {
  readonly #turns = new Columns(insertTurns, 13)
  readonly #messages = new Columns(insertMessages, 16)
  readonly #turnUpdates = new Columns(updateTurns, 8)
  readonly #conversations = new Columns(updateConversations, 4)

  accept(conversationId: number, accept: AcceptTurn, userMessageId: number, replyMessageId: number): void {
    const { turnId, clientMessageId, commandHash, user, state, lane, model, params, acceptedAt, deadlineAt } = accept
    this.#turns.add([
      turnId, conversationId, clientMessageId, Buffer.from(commandHash), userMessageId, user.parentId, replyMessageId, state, lane, model, JSON.stringify(params),
      acceptedAt, deadlineAt,
    ])
    if (user.type === 'existing') return
    this.#messages.add([
      conversationId, userMessageId, user.parentId, acceptedAt, null, turnId, null, null, 'user', user.content, clientMessageId, null, null, null, null, null,
    ])
  }

  begin({ turnId, attempt, run, bridge, barrenGrants, startedAt }: BeginTurn): void {
    this.#turnUpdates.add([turnId, 'running', attempt, run, bridge, barrenGrants, startedAt, null])
  }

  promote(turnId: string): void {
    this.#turnUpdates.add([turnId, 'queued', null, null, null, null, null, null])
  }

  /** The reply is the child of the user message, under the id that was drawn for it at accept. */
  end(write: EndTurn, stored: StoredTurn): void {
    const { turnId, attempt, end, content, usage, timing, model, cached, costUsd, endedAt } = write
    this.#turnUpdates.add([turnId, end.type, attempt, null, null, null, null, endedAt])
    this.#messages.add([
      stored.conversation_id, stored.reply_message_id, stored.user_message_id, endedAt, costUsd, turnId, attempt, cached, 'assistant', content, null,
      end.type === 'failed' ? 'failed' : end.reason, model, end.type === 'failed' ? JSON.stringify(end.error) : null, usage === null ? null : JSON.stringify(usage), JSON.stringify(timing),
    ])
  }

  /** Null leaves a column as it is. */
  use(conversationId: number, lastMessageId: number | null, usedAt: number | null, title: string | null): void {
    this.#conversations.add([conversationId, lastMessageId, usedAt, title])
  }

  statements(): BoundStatement[] {
    return [this.#turns, this.#messages, this.#turnUpdates, this.#conversations].flatMap((columns) => columns.bound())
  }
}

class Columns {
  readonly #statement: Statement
  readonly #columns: Value[][]

  constructor(statement: Statement, count: number) {
    this.#statement = statement
    this.#columns = Array.from({ length: count }, () => [])
  }

  add(row: readonly Value[]): void {
    for (const [index, column] of this.#columns.entries()) column.push(row[index] ?? null)
  }

  bound(): BoundStatement[] {
    return this.#columns[0]?.length ? [{ statement: this.#statement, values: this.#columns }] : []
  }
}
