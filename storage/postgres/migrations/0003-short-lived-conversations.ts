import type { Migration } from './migration.ts'

/**
 * Conversations that end by themselves, and what is left of deleted ones until their rows are gone. Whatever has no index
 * yet is asked of new tables: building one on a large table would hold its writers up.
 */
export const shortLivedConversations: Migration = {
  version: 3,
  name: 'short-lived and deleted conversations',
  statements: [
    // Null: it stays. Otherwise it is not listed, and is deleted some time after.
    `ALTER TABLE conversations ADD COLUMN expires_at timestamptz`,

    `CREATE TABLE expiring_conversations (
      expires_at timestamptz NOT NULL,
      conversation_id bigint NOT NULL,
      PRIMARY KEY (expires_at, conversation_id)
    )`,

    // A deleted conversation's row moves here: nobody finds or owns it any more, whatever release they are of. Its turns
    // and messages go later.
    `CREATE TABLE deleted_conversations (
      id bigint PRIMARY KEY,
      message_floor bigint NOT NULL,
      deleted_at timestamptz NOT NULL
    )`,
  ],
}
