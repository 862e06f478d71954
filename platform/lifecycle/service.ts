/**
 * Everything long-lived is a service. `start`, `drain` and `stop` are idempotent, and concurrent callers share one
 * promise. `stop` may be called at any time, also while starting.
 */
export interface Service {
  readonly name: string
  start(): Promise<void>
  /** Takes no new work and lets the work in hand end; absent where there is nothing to drain. */
  drain?(): Promise<void>
  stop(): Promise<void>
}
