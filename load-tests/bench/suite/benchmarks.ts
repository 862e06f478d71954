/** All benchmarks, by their files, in the order in which they run and stand on the page. */

/** What `npm run bench` runs: 25 minutes on two cores, all of them together. */
export const usual = [
  'streams',
  'crowd',
  'cluster-first-token',
  'cluster-turns',
  'durable-turns',
  'jitter',
  'most-streams',
  'conversation-growth',
  'stored-messages',
  'cluster-memory',
  'idle-sockets',
  'cluster-storm',
  'reconnect-storm',
  'http-chat',
  'http-stream',
  'standalone',
  'group-commit',
  'fan-out',
  'codec',
] as const

/** What a decision was made by and changes little after it, or what another measures beside peers: run by `--all`, or when it is named. */
const settled = [
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
