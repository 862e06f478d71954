/**
 * What a turn costs the parts that are ours: CPU seconds of one core, measured by `load-tests/bench/` with everything on
 * two cores of a shared machine. They err upwards: on a machine of their own, processes share larger reads and writes.
 */
export interface PartFigures {
  readonly perTurnS: number
  readonly perMillionTokensS: number
}

export const measured = {
  /** cluster-turns.bench, 1,500 turns of one token a second; cluster-cpu.bench, 100 streams of 50 tokens a second. */
  edge: { perTurnS: 473e-6, perMillionTokensS: 17 },
  bridge: { perTurnS: 294e-6, perMillionTokensS: 24 },
  nats: { perTurnS: 159e-6, perMillionTokensS: 5 },
  postgres: { perTurnS: 217e-6, perMillionTokensS: 0 },
  /** cluster-memory.bench: a connection with a conversation that has had a turn, on the edge. */
  edgeBytesPerUser: 17 * 1024,
  /** group-commit.bench: turns' writes that one Postgres takes a second, 512 conversations at a time. Three of them are a turn. */
  postgresWritesPerS: 22_900,
} as const

/** Three group commits: accepted, begun, ended. */
export const writesPerTurn = 3
/** Bytes of a token, in UTF-8 and on average, as English has it. */
export const bytesPerToken = 4
/** Rows, their indexes and their part of the write-ahead log that a replica holds, for a turn and its two messages, besides their text. */
export const rowBytesPerTurn = 900
