import type { Migration } from './migration.ts'

/**
 * Dead letters that are committed with the end of their turn and may not have reached the bus yet. Almost always empty,
 * and never large: only while the bus is away does it grow, by the turns that are given up meanwhile.
 */
export const unsentDeadLetters: Migration = {
  version: 2,
  name: 'dead letters that are not on the bus yet',
  statements: [
    `CREATE TABLE unsent_dead_letters (
      turn_id uuid PRIMARY KEY,
      conversation_id bigint NOT NULL,
      failed_at timestamptz NOT NULL,
      attempt integer NOT NULL,
      run integer NOT NULL,
      lane text NOT NULL,
      reason text NOT NULL,
      bridge text
    )`,
  ],
}
