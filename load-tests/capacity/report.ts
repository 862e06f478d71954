/** A plan as people read it. */
import type { Plan } from './plan.ts'
import type { SimulatedFigures } from './simulation.ts'
import type { Workload } from './workload.ts'

export function report({ users, thinkS, promptTokens, replyTokens }: Workload, plan: Plan, simulated: SimulatedFigures | null): string {
  const { queue, cores } = plan
  const rows: readonly (readonly [string, string])[] = [
    ['turns a second', number(queue.turnsPerS)],
    ['replies under way at a time', number(queue.streaming)],
    ['GPUs', `${number(queue.replicas)}, ${plan.slotsPerReplica} replies each, ${percent(queue.utilization)} of that in use`],
    ['wait for a GPU', `${seconds(queue.wait.meanS)} on average, ${seconds(queue.wait.p95S)} for 95 of 100, ${seconds(queue.wait.p99S)} for 99`],
    ['a reply takes', `${seconds(queue.replyS)}`],
    ...(simulated === null ? [] : ([['the same played through', `${number(simulated.turnsPerS)} turns a second, ${number(simulated.streaming)} under way, wait ${seconds(simulated.wait.meanS)} on average and ${seconds(simulated.wait.p95S)} for 95 of 100`]] as const)),
    ['edges', `${number(plan.edges)} (${number(cores.edge)} cores, ${number(plan.edgeMemoryGiB)} GiB for connections and conversations, all together)`],
    ['bridges', `${number(plan.bridges)} (${number(cores.bridge)} cores)`],
    ['NATS', `${number(plan.natsServers)} servers (${number(cores.nats)} cores)`],
    ['Postgres', `${number(plan.postgresShards)} ${plan.postgresShards === 1 ? 'shard' : 'shards'} with a synchronous standby each (${number(cores.postgres)} cores), ${number(plan.postgresGiBPerDay)} GiB a day`],
    ['Redis', `${number(plan.redisGiB)} GiB at most, before compression (${number(cores.redis)} cores)`],
    ['a chat costs', `$${(plan.dollarsPerTurn.gpu + plan.dollarsPerTurn.rest).toPrecision(2)}: $${plan.dollarsPerTurn.gpu.toPrecision(2)} the GPU, $${plan.dollarsPerTurn.rest.toPrecision(2)} all else`],
  ]
  const widest = Math.max(...rows.map(([name]) => name.length))
  const head = `${number(users)} people who ask ${number(thinkS)} s after each reply; ${number(promptTokens)} tokens of context, ${number(replyTokens)} of reply.`
  return [head, '', ...rows.map(([name, value]) => `  ${name.padEnd(widest)}  ${value}`), ''].join('\n')
}

function number(value: number): string {
  return value.toLocaleString('en-GB', value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 2 })
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)}%`
}

function seconds(value: number): string {
  return value < 0.0005 ? '0 s' : value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${number(value)} s`
}
