import t from 'tap'
import type { Finding } from './checker/evidence.ts'
import { cleanEvidence } from './checker/testing/clean-evidence.ts'
import { describe, faultOf, Report } from './report.ts'

const inflicted = ['edge-killed', 'nats-cut'].map((fault, at) => ({ fault, pauses: { reply: 1_500 * (at + 1), acceptance: 40 }, window: { fault, from: 1_000 * (at + 1), until: 1_000 * (at + 1) + 500, allowance: {} } }))
const finding = (kind: Finding['kind'], at: number | null): Finding => ({ kind, what: 'something', conversationId: 1, turnId: 'turn', at })

t.test('a finding is counted for the fault that came before it', async (t) => {
  t.equal(faultOf(finding('loss', 1_900), inflicted), 'edge-killed')
  t.equal(faultOf(finding('loss', 2_100), inflicted), 'nats-cut')
  t.equal(faultOf(finding('loss', 100), inflicted), 'edge-killed', 'or the first')
  t.equal(faultOf(finding('leak', null), inflicted), 'nats-cut', 'or the last')
  t.equal(faultOf(finding('leak', null), []), 'none')
})

t.test('the table tells of every fault, what was found and the longest pauses', async (t) => {
  const report = new Report()
  report.add({ evidence: cleanEvidence(), findings: [finding('loss', 1_200), finding('double', 2_200)], inflicted })
  report.add({ evidence: cleanEvidence(), findings: [], inflicted: inflicted.slice(0, 1) })
  t.equal(report.findings, 2)
  const rows = report.table().split('\n').map((line) => line.trim().split(/ {2,}/))
  t.same(rows[0]?.slice(0, 7), ['fault', 'runs', 'losses', 'doubles', 'reorders', 'errors', 'leaks'])
  t.same(rows[1], ['edge-killed', '2', '1', '0', '0', '0', '0', '1.5 s', '0.0 s'])
  t.same(rows[2], ['nats-cut', '1', '0', '1', '0', '0', '0', '3.0 s', '0.0 s'])
  t.same(rows[3], ['8 turns'])
})

t.test('a finding is described with its place and time', async (t) => {
  t.equal(describe(finding('loss', 0)), 'loss: something (conversation 1, turn turn, at 1970-01-01T00:00:00.000Z)')
  t.equal(describe({ ...finding('leak', null), conversationId: null, turnId: null }), 'leak: something')
})
