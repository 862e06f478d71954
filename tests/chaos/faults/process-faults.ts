/** Edges and bridges that die, sleep, or are told to go. */
import type { Role } from '../system/system.ts'
import { troubleFor, type Fault, type FaultContext } from './fault.ts'

/** SIGKILL; the cluster starts them again. */
async function kill({ system }: FaultContext, nodes: readonly string[]): Promise<void> {
  const starts = nodes.map((node) => system.starts(node))
  for (const node of nodes) system.signal(node, 'SIGKILL')
  await Promise.all(nodes.map((node, at) => system.started(node, (starts[at] ?? 0) + 1)))
}

/** Longer than it takes to be given up by the others: 3 s by an owner, 5 s by Postgres, 6 s by the queue. */
async function pause(context: FaultContext, nodes: readonly string[]): Promise<void> {
  for (const node of nodes) context.system.signal(node, 'SIGSTOP')
  try {
    await troubleFor(context, 6_500, 9_000)
  } finally {
    for (const node of nodes) context.system.signal(node, 'SIGCONT')
  }
}

const one = (context: FaultContext, role: Role): string => context.random.pick(context.system.nodes(role))

export const processFaults: readonly Fault[] = [
  { name: 'edge-killed', allowance: {}, inflict: (context) => kill(context, [one(context, 'edge')]) },
  { name: 'edge-paused', allowance: {}, inflict: (context) => pause(context, [one(context, 'edge')]) },
  { name: 'bridge-killed', allowance: {}, inflict: (context) => kill(context, [one(context, 'bridge')]) },
  { name: 'bridge-paused', allowance: { overlap: true }, inflict: (context) => pause(context, [one(context, 'bridge')]) },
  { name: 'edges-killed', allowance: {}, inflict: (context) => kill(context, context.system.nodes('edge')) },
  { name: 'bridges-killed', allowance: {}, inflict: (context) => kill(context, context.system.nodes('bridge')) },
  // Nobody is left who knows the text that was shown.
  { name: 'edge-and-bridge-killed', allowance: { restart: true }, inflict: (context) => kill(context, [one(context, 'edge'), one(context, 'bridge')]) },
  {
    name: 'edge-and-bridge-paused',
    allowance: { restart: true, overlap: true },
    inflict: (context) => pause(context, [one(context, 'edge'), one(context, 'bridge')]),
  },
  {
    name: 'rolling-restart',
    allowance: {},
    inflict: async ({ system }) => {
      for (const node of [...system.nodes('edge'), ...system.nodes('bridge')]) {
        const starts = system.starts(node)
        system.signal(node, 'SIGTERM')
        await system.started(node, starts + 1)
      }
    },
  },
]
