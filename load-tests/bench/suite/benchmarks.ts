/** All benchmarks, by their files, in the order in which they run and stand on the page. */

/** What `npm run bench` runs: 25 minutes on two cores, all of them together. */
export const usual = [
  'streams',
  'crowd',
  'cluster-cpu',
  'cluster-first-token',
  'cluster-turns',
  'durable-turns',
  'jitter',
  'most-streams',
  'conversation-growth',
  'stored-messages',
  'cluster-memory',
  'cluster-storm',
  'http-chat',
  'http-stream',
  'standalone',
  'group-commit',
  'fan-out',
  'codec',
] as const

/** What a decision was made by, and changes little after it: run when it is named. */
const settled = ['delta-intake', 'context-sources', 'context-cache', 'turn-limits', 'tracing', 'processes-per-core'] as const

export const benchmarks = [...usual, ...settled]
