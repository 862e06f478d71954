/** All benchmarks, by their files, in the order in which they run and stand on the page. */

/** What `npm run bench` runs. What weighs most comes first, as a run that is broken off keeps what it has. */
export const usual = [
  'streams',
  'crowd',
  'cluster-first-token',
  'durable-turns',
  'turn-cost',
  'cluster-memory',
  'idle-sockets',
  'gc-pauses',
  'reconnect-storm',
  'most-streams',
  'conversation-growth',
  'stored-messages',
  'http-chat',
  'http-stream',
  'fan-out',
  'codec',
] as const

/** What a decision was made by and changes little after it, or what one of the others measures beside peers: run by `--all`, or when it is named. */
const settled = [
  'cluster-turns',
  'cluster-storm',
  'jitter',
  'standalone',
  'group-commit',
  'cluster-cpu',
  'bridge-stream',
  'delta-intake',
  'context-sources',
  'context-cache',
  'turn-limits',
  'tracing',
  'processes-per-core',
] as const

export const benchmarks = [...usual, ...settled]
