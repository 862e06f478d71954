/** Engines that die, stall, and break their streams. */
import type { Fault as EngineFault } from '../../../load-tests/simulated-vllm/faults.ts'
import { troubleFor, type Fault, type FaultContext } from './fault.ts'

/** One of each, at random places of replies. */
function brokenStreams({ random }: FaultContext): EngineFault[] {
  const at = (): { afterTokens: number; requests: number } => ({ afterTokens: random.below(40), requests: 1 + random.below(2) })
  return random.shuffled<EngineFault>([
    { kind: 'cut', ...at() },
    { kind: 'cut', midFrame: true, ...at() },
    { kind: 'error_event', ...at() },
    { kind: 'done_without_finish', ...at() },
    { kind: 'reset', requests: 1 },
    { kind: 'http_error', requests: 1, status: 500 },
    { kind: 'http_error', requests: 1, status: 503 },
    { kind: 'queue_full_in_stream', requests: 1 },
  ])
}

export const engineFaults: readonly Fault[] = [
  {
    name: 'engine-killed',
    allowance: {},
    inflict: async (context) => {
      const { engine } = context.services
      await engine.kill()
      await troubleFor(context, 200, 3_000)
      await engine.restart()
    },
  },
  {
    name: 'engine-paused',
    allowance: { overlap: true },
    inflict: async (context) => {
      const { engine } = context.services
      engine.signal('SIGSTOP')
      await troubleFor(context, 1_000, 4_000)
      engine.signal('SIGCONT')
    },
  },
  {
    name: 'engine-breaks-streams',
    allowance: {},
    inflict: async (context) => {
      const { engine } = context.services
      await engine.setFaults(brokenStreams(context))
      await troubleFor(context, 3_000, 4_000)
      await engine.setFaults([])
    },
  },
  {
    name: 'engine-cut',
    allowance: {},
    inflict: async (context) => {
      const { engine } = context.services.proxies
      for (let cuts = 0; cuts < 3; cuts++) {
        engine.cut()
        await troubleFor(context, 200, 1_200)
      }
    },
  },
]
