import type { Metrics } from '../metrics/metrics.ts'

/** Every limit that refuses. */
export type LimitName =
  | 'requests_per_minute' | 'turns_per_minute' | 'tokens_in_per_minute' | 'tokens_in_per_day' | 'tokens_out_per_minute' | 'tokens_out_per_day'
  | 'concurrent_turns' | 'sockets' | 'sockets_per_address' | 'requests_per_address' | 'frames_per_second'

export interface LimitMetrics {
  refused(limit: LimitName): void
  /** This process counted for itself, or not at all, what it shares while Redis is there. */
  unshared(): void
}

export function declareLimitMetrics(metrics: Metrics): LimitMetrics {
  const refused = metrics.counter({ name: 'chatterbot_limits_refused_total', help: 'What was refused for a limit, by the limit', labels: ['limit'] })
  const unshared = metrics.counter({ name: 'chatterbot_limits_unshared_total', help: 'Times that a limit was not shared with other processes, as Redis was away: it was kept by this process alone, or not at all' })
  return { refused: (limit) => refused.inc({ limit }), unshared: () => unshared.inc() }
}
