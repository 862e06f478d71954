import t from 'tap'
import type { BenchRecord } from '../bench/suite/record.ts'
import { readRecord } from '../bench/suite/record.ts'
import { figuresOf } from './figures.ts'

const parts = ['edge-1', 'bridge-1', 'nats', 'redis', 'postgres']

function record(): BenchRecord {
  const circumstances = { at: '', tookS: 1, commit: '', cores: 2, cpu: '', memoryGiB: 4, kernel: '', node: '', busyBefore: 0 }
  const result = (name: string, title: string, contestants: readonly { readonly name: string; readonly figures: readonly { readonly name: string; readonly unit: string; readonly samples: readonly number[] }[] }[]) => ({ name, title: name, question: '', options: {}, circumstances, tables: [{ title, contestants }] })
  const turn = (name: string, ms: number) => ({ name, figures: parts.map((part, index) => ({ name: part, unit: 'ms', samples: [ms + index, 0, 100] })) })
  return {
    failed: [],
    results: [
      result('turn-cost', 'CPU a turn by process: ChatterBot', [turn('40 turns a second, one token each', 4), turn('100 turns a second, one token each', 3), turn('40 turns a second, 100 tokens each', 4.99)]),
      result('cluster-memory', '10000 connections', [{ name: 'ChatterBot', figures: [{ name: 'all of it', unit: 'KiB', samples: [6] }] }]),
      result('durable-turns', 'Turns', [{ name: 'nobody connected: group commit', figures: [{ name: 'turns', unit: 'a second', samples: [8_000] }] }]),
    ],
  }
}

t.test('figures are the medians of what was measured', async (t) => {
  const { edge, postgres, edgeBytesPerUser, postgresTurnsPerS } = figuresOf(record())
  t.equal(edge.perTurnS, 0.003)
  t.ok(Math.abs(edge.perMillionTokensS - 10) < 1e-9)
  t.equal(postgres.perTurnS, 0.007)
  t.equal(edgeBytesPerUser, 6 * 1024)
  t.equal(postgresTurnsPerS, 8_000)
})

t.test('what was not measured is named, and how to measure it', async (t) => {
  const { results, ...rest } = record()
  t.throws(() => figuresOf({ ...rest, results: results.filter(({ name }) => name !== 'turn-cost') }), /edge-1 .*npm run bench -- --only turn-cost/)
})

t.test("today's record has all of them", async (t) => {
  const figures = figuresOf(readRecord())
  for (const part of [figures.edge, figures.bridge, figures.nats, figures.redis, figures.postgres]) t.ok(part.perTurnS > 0 && part.perMillionTokensS >= 0)
  t.ok(figures.edge.perMillionTokensS > 0 && figures.bridge.perMillionTokensS > 0 && figures.edgeBytesPerUser > 0 && figures.postgresTurnsPerS > 0)
})
