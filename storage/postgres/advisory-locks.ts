/** Advisory locks of a shard's database, each as the pair of 32-bit keys that Postgres takes. */
const chatterbot = 0x63686174

export const advisoryLocks = {
  migrations: [chatterbot, 1],
  messagePartitions: [chatterbot, 2],
  sweep: [chatterbot, 3],
  purge: [chatterbot, 4],
} as const
