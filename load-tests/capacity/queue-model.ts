/**
 * People and replicas as a closed queue (the machine-repair model): each of `users` thinks, asks, waits for a slot, reads
 * the reply and thinks again. The number of turns in the system is a birth-death chain with product-form solution
 * (Gross, Shortle, Thompson, Harris: Fundamentals of Queueing Theory, 2.7): π(n+1)/π(n) = arrivals(n) / departures(n+1).
 * Replicas are filled evenly, and slow down as they fill.
 */
import { replyS, slotsOf, type Gpu, type Workload } from './workload.ts'

export interface QueueFigures {
  readonly replicas: number
  /** Turns a second. */
  readonly turnsPerS: number
  /** Replies under way at a time, on average. */
  readonly streaming: number
  /** Share of the replicas' slots that is in use. */
  readonly utilization: number
  /** Seconds a turn waits for a slot: on average, and what 95 and 99 of 100 do not exceed. */
  readonly wait: { readonly meanS: number; readonly p95S: number; readonly p99S: number }
  /** Seconds from the first token to the last, on average. */
  readonly replyS: number
}

export function solveQueue(workload: Workload, gpu: Gpu, replicas: number): QueueFigures {
  const { users, thinkS } = workload
  const slots = replicas * slotsOf(gpu, workload)
  const departures = (n: number): number => {
    const busy = Math.min(n, slots)
    return busy / replyS(gpu, workload, busy / replicas)
  }
  const shares = stationary(users, (n) => (users - n) / thinkS, departures)
  // Who asks sees what they would see were they not there (the arrival theorem).
  const seen = stationary(users - 1, (n) => (users - 1 - n) / thinkS, departures)
  let turnsPerS = 0
  let streaming = 0
  let inSystem = 0
  for (const [n, share] of shares.entries()) {
    turnsPerS += share * departures(n)
    streaming += share * Math.min(n, slots)
    inSystem += share * n
  }
  const full = departures(slots)
  const waitFor = (quantile: number): number => Math.max(0, quantileOf(seen, quantile) - slots + 1) / full
  return {
    replicas,
    turnsPerS,
    streaming,
    utilization: streaming / slots,
    wait: { meanS: (inSystem - streaming) / turnsPerS, p95S: waitFor(0.95), p99S: waitFor(0.99) },
    replyS: streaming / turnsPerS,
  }
}

export interface Aim {
  /** Seconds that 95 of 100 turns wait at most. */
  readonly waitS: number
  /** Share of the slots in use at most, on average: the rest is for the hours and the bursts that no average knows. */
  readonly utilization: number
}

/** The fewest replicas that reach the aim. */
export function leastReplicas(workload: Workload, gpu: Gpu, { waitS, utilization }: Aim): QueueFigures {
  const misses = (replicas: number): boolean => {
    const found = solveQueue(workload, gpu, replicas)
    return found.wait.p95S > waitS || found.utilization > utilization
  }
  let most = 1
  while (misses(most)) most *= 2
  let least = Math.floor(most / 2)
  while (most - least > 1) {
    const middle = Math.floor((least + most) / 2)
    if (misses(middle)) least = middle
    else most = middle
  }
  return solveQueue(workload, gpu, most)
}

/** π(0..most), from the ratios of neighbours: in logarithms, as they reach over thousands of powers of ten. */
function stationary(most: number, arrivals: (n: number) => number, departures: (n: number) => number): Float64Array {
  const shares = new Float64Array(most + 1)
  let highest = 0
  for (let n = 1; n <= most; n += 1) {
    const logarithm = (shares[n - 1] as number) + Math.log(arrivals(n - 1) / departures(n))
    shares[n] = logarithm
    highest = Math.max(highest, logarithm)
  }
  let sum = 0
  for (const [n, logarithm] of shares.entries()) {
    const weight = Math.exp(logarithm - highest)
    shares[n] = weight
    sum += weight
  }
  return shares.map((weight) => weight / sum)
}

function quantileOf(shares: Float64Array, quantile: number): number {
  let sum = 0
  for (const [n, share] of shares.entries()) {
    sum += share
    if (sum >= quantile) return n
  }
  return shares.length - 1
}
