/** A bridge on a memory bus with a scripted owner, in front of simulated engines. */
import type { Test } from 'tap'
import { startSimulatedVllm, type SimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import type { SimulatedVllmOptions } from '../../load-tests/simulated-vllm/options.ts'
import { MemoryBus } from '../../platform/bus/memory/memory-bus.ts'
import { systemClock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { createMetrics, type Metrics } from '../../platform/metrics/metrics.ts'
import { createBridge, type Bridge, type BridgeOptions } from '../bridge.ts'
import type { BridgeTiming } from '../settings.ts'
import type { EngineEndpoint } from '../vllm/client.ts'
import { ScriptedOwner, type OwnerScript } from './scripted-owner.ts'

export interface LogLine {
  readonly level: string
  readonly fields: Record<string, unknown>
  readonly message: string
}

export interface HarnessOptions {
  readonly engines?: readonly Partial<SimulatedVllmOptions>[]
  /** Beside the simulated ones. */
  readonly endpoints?: readonly EngineEndpoint[]
  readonly script?: OwnerScript
  readonly timing?: Partial<BridgeTiming>
  readonly concurrency?: number
  readonly maxTokens?: number
  readonly ackWaitMs?: number
  readonly systemPrompt?: string
  readonly results?: BridgeOptions['results']
  readonly onHandlerError?: (error: unknown) => void
}

export interface Harness {
  readonly bus: MemoryBus
  readonly owner: ScriptedOwner
  readonly engines: readonly SimulatedVllm[]
  readonly engine: SimulatedVllm
  readonly bridge: Bridge
  readonly metrics: Metrics
  readonly log: LogLine[]
  /** Another bridge on the same bus, in front of the same engines; not started. */
  another(name: string): Bridge
}

/** Short, so that a test of a deadline does not wait long, and long enough for a machine that is busy. */
export const testTiming: Partial<BridgeTiming> = {
  firstTokenMs: 5_000,
  interTokenMs: 5_000,
  probeIntervalMs: 50,
  breaker: { failures: 5, openMs: 50, maxOpenMs: 200 },
  engineRetry: { count: 10, baseMs: 5, maxMs: 50 },
  busRequestMs: 2_000,
  busRetry: { count: 3, baseMs: 5, maxMs: 50 },
  fetchWaitMs: 500,
  deltaFlushMs: 5,
}

function recorder(log: LogLine[]): Logger {
  const write = (level: string) => (fields: Record<string, unknown> | string, message?: string): void => {
    log.push(typeof fields === 'string' ? { level, fields: {}, message: fields } : { level, fields, message: message ?? '' })
  }
  const logger: Logger = { trace: write('trace'), debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), fatal: write('fatal'), child: () => logger }
  return logger
}

export async function startHarness(t: Test, options: HarnessOptions = {}): Promise<Harness> {
  const engines = await Promise.all((options.engines ?? [{}]).map((given) => startSimulatedVllm(given)))
  const handlerErrors: unknown[] = []
  const bus = new MemoryBus({ ackWaitMs: options.ackWaitMs ?? 6_000, onHandlerError: (error) => handlerErrors.push(error) })
  const ownerChannel = bus.channel()
  const owner = new ScriptedOwner({ channel: ownerChannel, queue: bus.jobQueue(), ...(options.script === undefined ? {} : { script: options.script }) })
  const log: LogLine[] = []
  const bridges: Bridge[] = []
  const channels = [ownerChannel]
  const metrics = createMetrics({ role: 'bridge', node: 'test' })
  const make = (name: string, registry: Metrics): Bridge => {
    const channel = bus.channel()
    channels.push(channel)
    const bridge = createBridge({
      name,
      channel,
      jobQueue: bus.jobQueue(),
      engines: [...engines.map(({ url }) => ({ url })), ...(options.endpoints ?? [])],
      concurrency: options.concurrency ?? 16,
      logger: recorder(log),
      metrics: registry,
      clock: systemClock,
      defaults: { maxTokens: options.maxTokens ?? 1024, temperature: 0, topP: 1, ...(options.systemPrompt === undefined ? {} : { systemPrompt: options.systemPrompt }) },
      results: options.results ?? null,
      timing: { ...testTiming, ...options.timing },
    })
    bridges.push(bridge)
    return bridge
  }
  const bridge = make('bridge-1', metrics)
  await bridge.start()
  t.teardown(async () => {
    await Promise.all(bridges.map((each) => each.stop()))
    await Promise.all(engines.map((each) => each.until(() => each.metrics.running + each.metrics.waiting === 0)))
    owner.close()
    await Promise.all(channels.map((channel) => channel.close()))
    await Promise.all(engines.map((each) => each.close()))
    if (handlerErrors.length > 0) throw handlerErrors[0]
    if (owner.violations.length > 0) throw new Error(owner.violations.join('; '))
    const errors = log.filter(({ level }) => level === 'error')
    if (errors.length > 0) throw new Error(JSON.stringify(errors, (_, value: unknown) => (value instanceof Error ? value.stack : value)))
  })
  return { bus, owner, engines, engine: engines[0] as SimulatedVllm, bridge, metrics, log, another: (name) => make(name, createMetrics({ role: 'bridge', node: name })) }
}
