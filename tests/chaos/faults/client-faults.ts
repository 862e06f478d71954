/** Clients that read slowly, hang, or lose their connections. */
import type { ProxyMode } from '../proxy/fault-proxy.ts'
import { troubleFor, type Fault, type FaultContext } from './fault.ts'

/** Half of the devices, at once. */
async function disturbClients(context: FaultContext, mode: ProxyMode, low: number, high: number): Promise<void> {
  const devices = context.random.shuffled(context.load.devices)
  const lines = devices.slice(0, Math.ceil(devices.length / 2)).map(({ line }) => line)
  for (const line of lines) line.set(mode)
  await troubleFor(context, low, high)
  for (const line of lines) line.set({ type: 'pass' })
}

export const clientFaults: readonly Fault[] = [
  { name: 'clients-slow', allowance: {}, inflict: (context) => disturbClients(context, { type: 'hold_answers' }, 2_000, 4_000) },
  { name: 'clients-held', allowance: {}, inflict: (context) => disturbClients(context, { type: 'hold' }, 1_000, 6_000) },
  { name: 'clients-half-open', allowance: {}, inflict: (context) => disturbClients(context, { type: 'swallow' }, 1_000, 6_000) },
  {
    name: 'clients-cut',
    allowance: {},
    inflict: async (context) => {
      for (let cuts = 0; cuts < 4; cuts++) {
        for (const { line } of context.load.devices) if (context.random.chance(0.5)) line.cut()
        await troubleFor(context, 100, 900)
      }
    },
  },
]
