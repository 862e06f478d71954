/** Servers that die, and lines to them that break. */
import type { FaultProxy, ProxyMode } from '../proxy/fault-proxy.ts'
import { troubleFor, type Fault, type FaultContext } from './fault.ts'
import type { Allowance } from '../checker/evidence.ts'

const pass: ProxyMode = { type: 'pass' }

interface Restartable {
  kill(): Promise<void>
  start(): Promise<void>
}

async function killFor(context: FaultContext, server: Restartable, low: number, high: number): Promise<void> {
  await server.kill()
  await troubleFor(context, low, high)
  await server.start()
}

async function disturb(context: FaultContext, proxy: FaultProxy, mode: ProxyMode, low: number, high: number): Promise<void> {
  proxy.set(mode)
  if (mode.type === 'refuse') proxy.cut()
  await troubleFor(context, low, high)
  proxy.set(pass)
}

/** A bridge that hears nothing of its owner goes on beside the one that has its job next. */
const busAway: Allowance = { overlap: true }
const databaseAway: Allowance = { refusals: ['unavailable', 'overloaded'] }

export const serviceFaults: readonly Fault[] = [
  { name: 'nats-killed', allowance: busAway, inflict: (context) => killFor(context, context.services.nats, 500, 4_000) },
  { name: 'nats-cut', allowance: busAway, inflict: (context) => disturb(context, context.services.proxies.nats, { type: 'refuse' }, 500, 5_000) },
  { name: 'nats-held', allowance: busAway, inflict: (context) => disturb(context, context.services.proxies.nats, { type: 'hold' }, 2_000, 8_000) },
  { name: 'nats-half-open', allowance: busAway, inflict: (context) => disturb(context, context.services.proxies.nats, { type: 'swallow' }, 2_000, 8_000) },
  { name: 'nats-slow', allowance: {}, inflict: (context) => disturb(context, context.services.proxies.nats, { type: 'pass', delayMs: 150 }, 2_000, 4_000) },
  { name: 'redis-killed', allowance: {}, inflict: (context) => killFor(context, context.services.redis, 500, 3_000) },
  { name: 'redis-held', allowance: {}, inflict: (context) => disturb(context, context.services.proxies.redis, { type: 'hold' }, 2_000, 5_000) },
  {
    name: 'postgres-killed',
    allowance: databaseAway,
    inflict: (context) => killFor(context, { kill: () => context.services.postgres.kill(), start: () => context.services.postgres.restart() }, 500, 4_000),
  },
  { name: 'postgres-cut', allowance: databaseAway, inflict: (context) => disturb(context, context.services.proxies.postgres, { type: 'refuse' }, 500, 4_000) },
  { name: 'postgres-held', allowance: databaseAway, inflict: (context) => disturb(context, context.services.proxies.postgres, { type: 'hold' }, 2_000, 7_000) },
  { name: 'postgres-half-open', allowance: databaseAway, inflict: (context) => disturb(context, context.services.proxies.postgres, { type: 'swallow' }, 2_000, 7_000) },
]
