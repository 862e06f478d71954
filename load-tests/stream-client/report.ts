import type { Arguments } from './arguments.ts'
import type { Heard } from './talk.ts'

/** Of a process of the server, when it was looked at. */
export interface Taken {
  readonly cpuSeconds: number
  readonly memoryMiB: number
}

export interface Run {
  readonly asked: Arguments
  readonly heard: Heard
  /** Seconds that opening all connections took. */
  readonly openS: number
  /** Of this client. */
  readonly ownCpuS: number
  /** By process: before the first connection, with all of them open, and after the last reply. */
  readonly processes: ReadonlyMap<string, readonly [before: Taken, open: Taken, after: Taken]>
}

/** What `npm run streams` writes. Times are milliseconds, unless they say otherwise. */
export function reportOf({ asked, heard, openS, ownCpuS, processes }: Run): object {
  const { gaps, firstTextMs, turns, tokens, frames, bytes, lost, doubled, reordered, failures, seconds } = heard
  const first = firstTextMs.toSorted((a, b) => a - b)
  const firstAt = (share: number): number | null => first[Math.min(first.length - 1, Math.floor(first.length * share))] ?? null
  const hasGaps = gaps.count > 0
  const gap = { p50: gaps.percentile(50) / 1000, p99: gaps.percentile(99) / 1000, max: gaps.max / 1000 }
  const cadence = asked.tokensPerSecond === null ? null : 1000 / asked.tokensPerSecond
  const perMillion = (cpuS: number): number | null => (tokens === 0 ? null : (cpuS / tokens) * 1e6)
  return {
    dialect: asked.dialect,
    sockets: asked.sockets,
    streams: asked.streams,
    open_s: openS,
    talk_s: seconds,
    turns,
    // Only where replies are verified can they be counted.
    tokens: asked.verifies ? tokens : null,
    tokens_per_second: asked.verifies ? tokens / seconds : null,
    frames,
    bytes,
    lost: asked.verifies ? lost : null,
    doubled: asked.verifies ? doubled : null,
    reordered: asked.verifies ? reordered : null,
    failed: failures.length,
    failures: [...new Set(failures)].slice(0, 10),
    first_text: { p50: firstAt(0.5), p99: firstAt(0.99) },
    gap: hasGaps ? gap : null,
    gap_added: hasGaps && cadence !== null ? { p50: gap.p50 - cadence, p99: gap.p99 - cadence, max: gap.max - cadence } : null,
    client: { cpu_s: ownCpuS, cpu_s_per_million_tokens: perMillion(ownCpuS) },
    processes: Object.fromEntries(
      [...processes].map(([name, [before, open, after]]) => {
        const talking = after.cpuSeconds - open.cpuSeconds
        return [name, { open_cpu_s: open.cpuSeconds - before.cpuSeconds, talk_cpu_s: talking, cpu_s_per_million_tokens: perMillion(talking), memory_mib: { before: before.memoryMiB, open: open.memoryMiB, after: after.memoryMiB } }]
      }),
    ),
  }
}
