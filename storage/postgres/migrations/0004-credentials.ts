import type { Migration } from './migration.ts'

/**
 * On every shard, as all of it is; API keys and secrets are kept on the first one alone, tickets on that of their user.
 * Of a key and of a ticket only a hash is kept: who reads these tables can be nobody.
 */
export const credentials: Migration = {
  version: 4,
  name: 'API keys, tickets and secrets',
  statements: [
    // previous_*: the secret before the last rotation, while it holds still.
    `CREATE TABLE api_keys (
      id text PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 64),
      name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 512),
      user_id text CHECK (octet_length(user_id) BETWEEN 1 AND 512),
      acts_for_others boolean NOT NULL,
      permissions text[] NOT NULL,
      plan text NOT NULL CHECK (octet_length(plan) BETWEEN 1 AND 256),
      secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
      previous_hash bytea CHECK (octet_length(previous_hash) = 32),
      previous_until timestamptz,
      created_at timestamptz NOT NULL,
      expires_at timestamptz,
      revoked_at timestamptz,
      last_used_at timestamptz,
      CHECK (user_id IS NOT NULL OR acts_for_others),
      CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
    )`,

    // Gone with a crash of the server, and not on its standbys: a ticket lives for half a minute, and another is quickly had.
    `CREATE UNLOGGED TABLE tickets (
      hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
      expires_at timestamptz NOT NULL,
      holder jsonb NOT NULL
    )`,

    `CREATE INDEX tickets_by_expiry ON tickets (expires_at)`,

    // Drawn by whichever process needs one first, and shared by all.
    `CREATE TABLE secrets (
      name text PRIMARY KEY,
      value bytea NOT NULL
    )`,
  ],
}
