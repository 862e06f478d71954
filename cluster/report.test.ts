import t from 'tap'
import { jsonReporter, lastWords, wordsReporter, type ClusterEvent, type ClusterReport } from './report.ts'

const report: ClusterReport = {
  port: 8001,
  processes: [{ role: 'edge', node: 'edge-1', pid: 12, metrics: 'http://127.0.0.1:9/metrics' }, { role: 'bridge', node: 'bridge-1', pid: null, metrics: null }],
  services: [{ name: 'nats', pid: 13, url: 'nats://127.0.0.1:4222' }, { name: 'postgres', pid: null, url: 'postgres://ann@db/one' }],
}

const ended = (fields: Partial<Extract<ClusterEvent, { event: 'exited' }>['end']>): ClusterEvent => ({
  event: 'exited',
  role: 'edge',
  node: 'edge-1',
  end: { pid: 12, exit: { code: null, signal: 'SIGKILL' }, willStartAgain: true, wasAsked: false, lines: [], ...fields },
})

function written(make: typeof jsonReporter): { readonly reporter: ReturnType<typeof jsonReporter>; readonly text: () => string } {
  let text = ''
  return { reporter: make((more) => void (text += more)), text: () => text }
}

t.test('programs are told in one line of JSON each', (t) => {
  const { reporter, text } = written(jsonReporter)
  reporter.ready(report)
  reporter.event(ended({}))
  reporter.event({ event: 'started', role: 'edge', node: 'edge-1', pid: 14, metrics: 'http://127.0.0.1:9/metrics' })
  t.strictSame(text().trimEnd().split('\n').map((line) => JSON.parse(line) as unknown), [
    report,
    { event: 'exited', role: 'edge', node: 'edge-1', pid: 12, code: null, signal: 'SIGKILL' },
    { event: 'started', role: 'edge', node: 'edge-1', pid: 14, metrics: 'http://127.0.0.1:9/metrics' },
  ])
  t.end()
})

t.test('people are told where to chat, how to kill what, and what became of it', (t) => {
  const { reporter, text } = written((write) => wordsReporter(write, { host: '0.0.0.0', restartAfterMs: 1500, logFolder: '/logs' }))
  reporter.ready(report)
  t.match(text(), 'http://127.0.0.1:8001\n')
  t.match(text(), /edge-1 {4}kill -9 12 {6}http:\/\/127\.0\.0\.1:9\/metrics\n/)
  t.match(text(), /postgres {2}runs elsewhere {2}postgres:\/\/ann@db\/one\n/)
  reporter.event(ended({}))
  t.match(text(), /edge-1 \(12\) ended, killed by SIGKILL; it starts again in 1\.5 s\n$/)
  reporter.event(ended({ exit: { code: 69, signal: null }, lines: ['{"level":"info"}', 'The database cannot be reached.'] }))
  t.match(text(), /ended, exit code 69; it starts again in 1\.5 s\n +The database cannot be reached\.\n$/)
  reporter.event({ event: 'started', role: 'edge', node: 'edge-1', pid: 14, metrics: null })
  t.match(text(), /edge-1 is up again: kill -9 14\n$/)
  reporter.event(ended({ exit: { code: 0, signal: null }, wasAsked: true, willStartAgain: false }))
  t.match(text(), /edge-1 \(12\) has stopped\n$/)
  t.end()
})

t.test("a program's last words are those to people, or else its log", (t) => {
  t.strictSame(lastWords(['{"a":1}', '', 'No port.', 'What to do: choose one'], 12), ['No port.', 'What to do: choose one'])
  t.strictSame(lastWords(['{"a":1}', '{"ready":false,"code":"model_damaged","message":"It is damaged."}'], 12), ['It is damaged.'])
  t.strictSame(lastWords(['{"a":1}', '{"b":2}', '{"c":3}'], 2), ['{"b":2}', '{"c":3}'])
  t.end()
})
