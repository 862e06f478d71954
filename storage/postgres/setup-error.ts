import { exitCodes, StartupFault } from '../../platform/lifecycle/startup-fault.ts'

export type StorageSetupErrorCode =
  /** The configuration does not give every bucket to exactly one shard. */
  | 'invalid_shard_map'
  /** The server does not own the buckets that the configuration gives to it. */
  | 'wrong_shard'
  /** A migration that was run is not the one that this program has under its number. */
  | 'changed_migration'

const hints: Readonly<Record<StorageSetupErrorCode, string>> = {
  invalid_shard_map: 'Mend the configuration of the shards.',
  wrong_shard: 'Name the same databases in the same order as when they were set up.',
  changed_migration: 'Use the program that the database was set up with, or a later release of it.',
}

/** The storage cannot be used as it is configured. No retry helps. */
export class StorageSetupError extends StartupFault {
  readonly code: StorageSetupErrorCode
  constructor(code: StorageSetupErrorCode, message: string) {
    super(message, hints[code], { exitCode: exitCodes.config })
    this.code = code
  }
}
