/** What a bridge tells Prometheus. */
import type { Metrics } from '../platform/metrics/metrics.ts'
import type { ReplicaSet } from './replicas/replica-set.ts'
import type { EngineFailureKind } from './vllm/failure.ts'

export interface BridgeMetrics {
  /** From the request to the engine to its first text. */
  firstToken(seconds: number): void
  /** `outcome`: a finish reason, an error code of a failed turn, or how the run was stopped. */
  runEnded(outcome: string, tokens: number): void
  engineFailed(kind: EngineFailureKind): void
  deltaBatch(items: number, bytes: number, dropped: boolean): void
}

export interface BridgeGauges {
  readonly replicas: ReplicaSet
  /** Runs whose text is kept, those that wait for their finish included. */
  keptRuns(): number
  /** Jobs pulled and not yet begun. */
  waitingJobs(): number
}

const firstTokenBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export function declareBridgeMetrics(metrics: Metrics, gauges: BridgeGauges): BridgeMetrics {
  const firstToken = metrics.histogram({ name: 'chatterbot_engine_first_token_seconds', help: 'From the request to an engine to its first text', buckets: firstTokenBuckets })
  const runs = metrics.counter({ name: 'chatterbot_runs_total', help: 'Runs by how they ended', labels: ['outcome'] })
  const tokens = metrics.counter({ name: 'chatterbot_generated_tokens_total', help: 'Tokens of ended runs, resumed ones included' })
  const failures = metrics.counter({ name: 'chatterbot_engine_failures_total', help: 'Requests that an engine failed or refused', labels: ['kind'] })
  const batches = metrics.counter({ name: 'chatterbot_delta_batches_total', help: 'Batches of deltas and beats', labels: ['sent'] })
  const items = metrics.counter({ name: 'chatterbot_delta_items_total', help: 'Deltas and beats in those batches' })
  const bytes = metrics.counter({ name: 'chatterbot_delta_bytes_total', help: 'Bytes of those batches' })
  metrics.gauge({ name: 'chatterbot_kept_runs', help: 'Runs whose text is kept, those that wait for their finish included' }, (gauge) => gauge.set(gauges.keptRuns()))
  metrics.gauge({ name: 'chatterbot_waiting_jobs', help: 'Jobs pulled and not yet begun' }, (gauge) => gauge.set(gauges.waitingJobs()))
  metrics.gauge({ name: 'chatterbot_replica_in_flight', help: 'Requests of this bridge under way at a replica', labels: ['replica'] }, (gauge) => {
    for (const { name, inFlight } of gauges.replicas.replicas) gauge.set({ replica: name }, inFlight)
  })
  metrics.gauge({ name: 'chatterbot_replica_available', help: '1: healthy and its circuit breaker closed', labels: ['replica'] }, (gauge) => {
    for (const { name, healthy, breaker } of gauges.replicas.replicas) gauge.set({ replica: name }, healthy && breaker.state === 'closed' ? 1 : 0)
  })
  return {
    firstToken: (seconds) => firstToken.observe(seconds),
    runEnded: (outcome, count) => {
      runs.inc({ outcome })
      tokens.inc(count)
    },
    engineFailed: (kind) => failures.inc({ kind }),
    deltaBatch: (count, size, dropped) => {
      batches.inc({ sent: dropped ? 'no' : 'yes' })
      items.inc(count)
      bytes.inc(size)
    },
  }
}
