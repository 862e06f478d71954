/** The rows that a group writes, as the arrays that its statements take. */
import type { AcceptTurn, BeginTurn, EndTurn } from '../conversation-store.ts'
import { endColumns } from './end-columns.ts'
import type { StoredTurn } from './rows.ts'
import type { BoundStatement } from './shard.ts'
import { deleteConversations } from './statements/delete-conversations.ts'
import { renameConversations } from './statements/rename-conversations.ts'
import { writeGroup, writeGroupColumns } from './statements/write-group.ts'

type Value = string | number | boolean | Buffer | null

export class GroupRows {
  readonly #turns = new Columns(writeGroupColumns.turns)
  readonly #messages = new Columns(writeGroupColumns.messages)
  readonly #turnChanges = new Columns(writeGroupColumns.turnChanges)
  readonly #conversations = new Columns(writeGroupColumns.conversations)
  readonly #deadLetters = new Columns(writeGroupColumns.deadLetters)
  readonly #renames = new Columns(2)
  readonly #removals = new Columns(1)

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
    this.#turnChanges.add([turnId, 'running', attempt, run, bridge, barrenGrants, startedAt, null])
  }

  promote(turnId: string): void {
    this.#turnChanges.add([turnId, 'queued', null, null, null, null, null, null])
  }

  /** The reply is the child of the user message, under the id that was drawn for it at accept. */
  end(write: EndTurn, stored: StoredTurn): void {
    const { turnId, run, attempt, end, content, model, cached, costUsd, endedAt, deadLetter = false } = write
    const { bridge, barrenGrants, startedAt, reason, error, usage, timing } = endColumns(write)
    this.#turnChanges.add([turnId, end.type, attempt, run, bridge, barrenGrants, startedAt, endedAt])
    this.#messages.add([
      stored.conversation_id, stored.reply_message_id, stored.user_message_id, endedAt, costUsd, turnId, attempt, cached, 'assistant', content, null, reason, model, error, usage, timing,
    ])
    if (deadLetter && end.type === 'failed') this.#deadLetters.add([turnId, stored.conversation_id, endedAt, attempt, run, stored.lane, end.error.code, bridge ?? stored.bridge])
  }

  /** Null leaves a column as it is. */
  use(conversationId: number, lastMessageId: number | null, usedAt: number | null, title: string | null): void {
    this.#conversations.add([conversationId, lastMessageId, usedAt, title])
  }

  rename(conversationId: number, title: string): void {
    this.#renames.add([conversationId, title])
  }

  remove(conversationId: number): void {
    this.#removals.add([conversationId])
  }

  /** None where there is nothing to write. */
  statements(): BoundStatement[] {
    const parts = [this.#turns, this.#messages, this.#turnChanges, this.#conversations, this.#deadLetters]
    return [
      ...(parts.some(({ length }) => length > 0) ? [{ statement: writeGroup, values: parts.flatMap(({ values }) => values) }] : []),
      ...(this.#renames.length > 0 ? [{ statement: renameConversations, values: this.#renames.values }] : []),
      ...(this.#removals.length > 0 ? [{ statement: deleteConversations, values: this.#removals.values }] : []),
    ]
  }
}

class Columns {
  readonly values: readonly Value[][]

  constructor(count: number) {
    this.values = Array.from({ length: count }, () => [])
  }

  get length(): number {
    return this.values[0]?.length ?? 0
  }

  add(row: readonly Value[]): void {
    for (const [index, column] of this.values.entries()) column.push(row[index] ?? null)
  }
}
