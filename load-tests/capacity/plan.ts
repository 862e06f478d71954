/** How many of everything a workload needs, and what a chat costs. */
import { bytesPerToken, rowBytesPerTurn, type Figures, type PartFigures } from './figures.ts'
import { leastReplicas, type Aim, type QueueFigures } from './queue-model.ts'
import { slotsOf, type Gpu, type Workload } from './workload.ts'

export interface Prices {
  readonly vcpuDollarsPerHour: number
}

export interface Plan {
  readonly queue: QueueFigures
  readonly slotsPerReplica: number
  /** Cores' worth of work, at the stated share of each core. */
  readonly cores: { readonly edge: number; readonly bridge: number; readonly nats: number; readonly redis: number; readonly postgres: number }
  /** Processes: an edge and a bridge use one core each. At least two of each, as one may die. */
  readonly edges: number
  readonly bridges: number
  /** Servers of a cluster that keeps each job three times. */
  readonly natsServers: number
  readonly postgresShards: number
  readonly edgeMemoryGiB: number
  /** Of the contexts of all users, uncompressed. */
  readonly redisGiB: number
  readonly postgresGiBPerDay: number
  /** A turn: its share of the GPUs, and of the cores of all else. */
  readonly dollarsPerTurn: { readonly gpu: number; readonly rest: number }
}

/** Share of a core that is used on average: what is left keeps latency low, and takes over when a neighbour dies. */
const coreShare = 0.5
/** Share of its writes that a shard is used for on average. */
const shardShare = 0.4
const fewest = 2
const natsCoresPerServer = 4
const natsClusterSize = 3

export function planFor(workload: Workload, gpu: Gpu, aim: Aim, prices: Prices, figures: Figures): Plan {
  const queue = leastReplicas(workload, gpu, aim)
  const { turnsPerS, replicas } = queue
  const coresOf = ({ perTurnS, perMillionTokensS }: PartFigures): number => (turnsPerS * (perTurnS + (workload.replyTokens * perMillionTokensS) / 1e6)) / coreShare
  // A replicated stream does its work on each server.
  const cores = { edge: coresOf(figures.edge), bridge: coresOf(figures.bridge), nats: coresOf(figures.nats) * natsClusterSize, redis: coresOf(figures.redis), postgres: coresOf(figures.postgres) }
  const edges = Math.max(fewest, Math.ceil(cores.edge))
  const bridges = Math.max(fewest, Math.ceil(cores.bridge))
  const textBytes = (workload.promptTokens + workload.replyTokens) * bytesPerToken
  const allCores = edges + bridges + cores.nats + cores.redis + cores.postgres
  return {
    queue,
    slotsPerReplica: slotsOf(gpu, workload),
    cores,
    edges,
    bridges,
    natsServers: Math.max(natsClusterSize, Math.ceil(cores.nats / natsCoresPerServer)),
    postgresShards: Math.max(1, Math.ceil(turnsPerS / (figures.postgresTurnsPerS * shardShare))),
    edgeMemoryGiB: (workload.users * figures.edgeBytesPerUser) / 2 ** 30,
    redisGiB: (workload.users * textBytes) / 2 ** 30,
    // The context is history that is stored already: a turn adds its question, for which we take a tenth of it, and its reply.
    postgresGiBPerDay: (turnsPerS * 86_400 * (rowBytesPerTurn + (workload.promptTokens / 10 + workload.replyTokens) * bytesPerToken)) / 2 ** 30,
    dollarsPerTurn: {
      gpu: (replicas * gpu.dollarsPerHour) / 3600 / turnsPerS,
      rest: (allCores * prices.vcpuDollarsPerHour) / 3600 / turnsPerS,
    },
  }
}
