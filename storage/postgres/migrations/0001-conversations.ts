import type { Migration } from './migration.ts'

/**
 * Ids are `sequence * 1024 + bucket`. What changes with each turn is narrow and in no index but a partial one, whose
 * predicate names only `ended_at`: all updates but a turn's last stay on their heap page (HOT).
 */
export const conversations: Migration = {
  version: 1,
  name: 'conversations, turns and messages',
  statements: [
    `CREATE SEQUENCE conversation_sequence AS bigint CACHE 1`,

    // Without a cache, ids drawn one after another rise. Moved to month * 2^33 when a month begins.
    `CREATE SEQUENCE message_sequence AS bigint CACHE 1`,

    // Buckets that this shard may write. Joined by claim and create, so that a wrong shard map cannot write.
    `CREATE TABLE owned_buckets (
      bucket smallint PRIMARY KEY CHECK (bucket BETWEEN 0 AND 1023)
    )`,

    // Processes that were alive at seen_at, by this server's clock.
    `CREATE TABLE nodes (
      node text NOT NULL,
      boot_id text NOT NULL,
      seen_at timestamptz NOT NULL,
      PRIMARY KEY (node, boot_id)
    ) WITH (fillfactor = 50)`,

    // message_floor: no message of the conversation has a lower id; prunes partitions older than it.
    // command_hash: of what it was created with, where it has a client_conversation_id.
    `CREATE TABLE conversations (
      id bigint PRIMARY KEY,
      message_floor bigint NOT NULL,
      last_message_id bigint,
      owner_epoch bigint NOT NULL DEFAULT 0,
      created_at timestamptz NOT NULL,
      updated_at timestamptz NOT NULL,
      user_id text NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 512),
      client_conversation_id text CHECK (octet_length(client_conversation_id) BETWEEN 1 AND 256),
      command_hash bytea CHECK (octet_length(command_hash) = 32),
      title text CHECK (octet_length(title) <= 1024),
      model text CHECK (octet_length(model) <= 512),
      system text CHECK (octet_length(system) <= 32768),
      owner_node text,
      owner_boot text,
      UNIQUE (user_id, client_conversation_id),
      CHECK ((client_conversation_id IS NULL) = (command_hash IS NULL)),
      CHECK ((owner_node IS NULL) = (owner_boot IS NULL))
    ) WITH (fillfactor = 80)`,

    // No foreign key: whoever writes a turn holds the lock on its conversation's row.
    `CREATE TABLE turns (
      id uuid PRIMARY KEY,
      conversation_id bigint NOT NULL,
      user_message_id bigint NOT NULL,
      parent_id bigint,
      reply_message_id bigint NOT NULL,
      accepted_at timestamptz NOT NULL,
      deadline_at timestamptz NOT NULL,
      started_at timestamptz,
      ended_at timestamptz,
      attempt integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
      run integer NOT NULL DEFAULT 0 CHECK (run >= 0),
      barren_grants integer NOT NULL DEFAULT 0,
      state text NOT NULL CHECK (state IN ('waiting', 'queued', 'running', 'finished', 'failed')),
      lane text NOT NULL CHECK (lane IN ('premium', 'standard', 'batch')),
      client_message_id text NOT NULL CHECK (octet_length(client_message_id) BETWEEN 1 AND 256),
      bridge text,
      model text CHECK (octet_length(model) <= 512),
      command_hash bytea NOT NULL CHECK (octet_length(command_hash) = 32),
      params jsonb NOT NULL,
      UNIQUE (conversation_id, client_message_id),
      CHECK ((ended_at IS NOT NULL) = (state IN ('finished', 'failed'))),
      CHECK ((bridge IS NULL) = (run = 0))
    ) WITH (fillfactor = 80)`,

    `CREATE INDEX turns_unfinished ON turns (conversation_id) WHERE ended_at IS NULL`,

    // Never updated. A partition holds a month: the range of ids that the sequence gives out in it.
    `CREATE TABLE messages (
      conversation_id bigint NOT NULL,
      id bigint NOT NULL CHECK (id % 1024 = conversation_id % 1024),
      parent_id bigint CHECK (parent_id < id),
      created_at timestamptz NOT NULL,
      cost_usd double precision,
      turn_id uuid,
      attempt integer,
      cached boolean,
      role text NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
      content text NOT NULL CHECK (octet_length(content) <= 32768),
      client_message_id text,
      reason text,
      model text,
      error jsonb,
      usage jsonb,
      timing jsonb,
      PRIMARY KEY (conversation_id, id)
    ) PARTITION BY RANGE (id)`,
  ],
}
