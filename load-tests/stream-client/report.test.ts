import { createHistogram } from 'node:perf_hooks'
import t from 'tap'
import { readArguments, type Arguments } from './arguments.ts'
import { reportOf } from './report.ts'
import type { Heard } from './talk.ts'

const silence: Heard = { turns: 0, tokens: 0, frames: 0, bytes: 0, lost: 0, doubled: 0, reordered: 0, failures: [], firstTextMs: [], gaps: createHistogram(), seconds: 1 }

t.test('gaps are told as they are and beyond the cadence of the engine, CPU time for a million tokens', async (t) => {
  const gaps = createHistogram()
  for (let n = 0; n < 99; n += 1) gaps.record(20_000)
  gaps.record(70_000)
  const asked = readArguments(['--verify', '--tokens-per-second', '50']) as Arguments
  const heard: Heard = { ...silence, turns: 2, tokens: 200, frames: 102, bytes: 9_000, firstTextMs: [9, 5], gaps, seconds: 4, failures: ['late', 'late'] }
  const processes = new Map([['edge', [{ cpuSeconds: 1, memoryMiB: 50 }, { cpuSeconds: 3, memoryMiB: 90 }, { cpuSeconds: 3.001, memoryMiB: 95 }]] as const])
  const report = reportOf({ asked, heard, openS: 0.5, ownCpuS: 0.002, processes }) as { gap: { max: number }; gap_added: { p50: number } }
  t.match(report, {
    turns: 2, tokens: 200, tokens_per_second: 50, failed: 2, failures: ['late'], first_text: { p50: 9, p99: 9 }, client: { cpu_s: 0.002 },
    processes: { edge: { open_cpu_s: 2, memory_mib: { before: 50, open: 90, after: 95 } } },
  })
  const { cpu_s_per_million_tokens: cpu } = (report as unknown as { processes: { edge: { cpu_s_per_million_tokens: number } } }).processes.edge
  t.equal(Math.round(cpu * 1000), 5_000)
  // The histogram keeps three digits.
  t.ok(Math.abs(report.gap.max - 70) < 0.1)
  t.ok(Math.abs(report.gap_added.p50) < 0.1)
})

t.test('nothing is made of what was not heard or not verified', async (t) => {
  const report = reportOf({ asked: readArguments([]) as Arguments, heard: silence, openS: 0.5, ownCpuS: 0.1, processes: new Map() })
  t.match(report, { tokens: null, tokens_per_second: null, lost: null, first_text: { p50: null, p99: null }, gap: null, gap_added: null, client: { cpu_s_per_million_tokens: null } })
})
