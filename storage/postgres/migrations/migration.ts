/** One step of a shard's schema. Once released it never changes: a test pins what it hashes to. */
export interface Migration {
  readonly version: number
  readonly name: string
  /** Run in one transaction. Safe beside the version before: nothing that is in use is dropped, rewritten or locked for long. */
  readonly statements: readonly string[]
}
