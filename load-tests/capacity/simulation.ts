/**
 * The same queue, played through turn by turn: a check of the model, which takes think times and replies as exponential.
 * Here both are log-normal, as people's are. All streams of a full or half-full replica advance at one speed, so that a
 * single clock of tokens tells which ends next, however the speed changes meanwhile.
 */
import { slotsOf, type Gpu, type Workload } from './workload.ts'
import { TimeHeap } from './time-heap.ts'

export interface SimulatedFigures {
  /** Turns that ended while it was measured. */
  readonly turns: number
  readonly turnsPerS: number
  readonly streaming: number
  readonly wait: { readonly meanS: number; readonly p95S: number }
}

export interface SimulationOptions {
  readonly replicas: number
  readonly seed: number
  /** Seconds of the simulated world before anything counts, and that count. */
  readonly warmUpS: number
  readonly measuredS: number
}

/** Of the logarithms of think times and of lengths: a tenth of people think more than 3 times as long as the middle one. */
const spread = 0.85

export function simulate(workload: Workload, gpu: Gpu, { replicas, seed, warmUpS, measuredS }: SimulationOptions): SimulatedFigures {
  const { users, thinkS, replyTokens } = workload
  const slots = replicas * slotsOf(gpu, workload)
  const random = logNormal(seed)
  const thinking = new TimeHeap(users)
  /** By the reading of the token clock at which they end. */
  const writing = new TimeHeap(slots)
  const askedAt = new Float64Array(users)
  const waiting = new Queue(users)
  const waits: number[] = []
  let now = 0
  let tokenClock = 0
  let turns = 0
  let streamSeconds = 0

  /** Tokens a second of each stream. Reading the context is counted as tokens, at the speed of a lone stream. */
  const speed = (): number => Math.min(gpu.streamTokensPerS, (gpu.tokensPerS * replicas) / Math.max(1, writing.size))
  const begin = (user: number): void => {
    writing.push(tokenClock + random(replyTokens) + gpu.prefillS * speed(), user)
    if (now >= warmUpS) waits.push(now - (askedAt[user] as number))
  }

  // At the start everybody is somewhere in their thinking, and who thinks long is met thinking more often: times weighted by their length are log-normal too.
  for (let user = 0; user < users; user += 1) thinking.push(random(thinkS) * Math.exp(spread * spread) * ((user + 0.5) / users), user)
  while (now < warmUpS + measuredS) {
    const rate = speed()
    const endsAt = writing.size === 0 ? Infinity : now + (writing.earliest - tokenClock) / rate
    const next = Math.min(endsAt, thinking.earliest)
    if (now >= warmUpS) streamSeconds += (next - now) * writing.size
    if (writing.size > 0) tokenClock += (next - now) * rate
    now = next
    if (endsAt <= thinking.earliest) {
      const user = writing.pop()
      if (now >= warmUpS) turns += 1
      thinking.push(now + random(thinkS), user)
      const first = waiting.shift()
      if (first !== undefined) begin(first)
    } else {
      const user = thinking.pop()
      askedAt[user] = now
      if (writing.size < slots) begin(user)
      else waiting.push(user)
    }
  }
  waits.sort((a, b) => a - b)
  return {
    turns,
    turnsPerS: turns / (now - warmUpS),
    streaming: streamSeconds / (now - warmUpS),
    wait: { meanS: waits.reduce((sum, each) => sum + each, 0) / Math.max(1, waits.length), p95S: waits[Math.floor(waits.length * 0.95)] ?? 0 },
  }
}

/** Positive numbers of the mean that is asked for. The same seed brings the same ones. */
function logNormal(seed: number): (mean: number) => number {
  let state = seed >>> 0
  // Mulberry32.
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const shift = -(spread * spread) / 2
  return (mean) => {
    // Box and Muller's.
    const normal = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
    return mean * Math.exp(shift + spread * normal)
  }
}

/** First in, first out; never more than it was made for. */
class Queue {
  readonly #ring: Uint32Array
  #first = 0
  #size = 0

  constructor(most: number) {
    this.#ring = new Uint32Array(most)
  }

  push(value: number): void {
    this.#ring[(this.#first + this.#size) % this.#ring.length] = value
    this.#size += 1
  }

  shift(): number | undefined {
    if (this.#size === 0) return undefined
    const value = this.#ring[this.#first]
    this.#first = (this.#first + 1) % this.#ring.length
    this.#size -= 1
    return value
  }
}
