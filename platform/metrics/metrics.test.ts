import t from 'tap'
import { createMetrics } from './metrics.ts'

t.test('metrics of the process and of its parts are exposed as text, with role and node', async (t) => {
  const metrics = createMetrics({ role: 'edge', node: 'a' })
  const frames = metrics.counter({ name: 'chatterbot_frames_total', help: 'Frames.', labels: ['direction'] })
  const wait = metrics.histogram({ name: 'chatterbot_wait_seconds', help: 'Waits.', buckets: [0.1, 1] })
  let connections = 3
  metrics.gauge({ name: 'chatterbot_connections', help: 'Connections.' }, (gauge) => gauge.set(connections))
  frames.inc({ direction: 'in' }, 2)
  wait.observe(0.5)
  const text = await metrics.expose()
  t.match(metrics.contentType, /^text\/plain; version=/)
  t.match(text, '# HELP chatterbot_frames_total Frames.\n# TYPE chatterbot_frames_total counter\nchatterbot_frames_total{direction="in",role="edge",node="a"} 2\n')
  t.match(text, 'chatterbot_wait_seconds_bucket{le="0.1",role="edge",node="a"} 0\nchatterbot_wait_seconds_bucket{le="1",role="edge",node="a"} 1\n')
  t.match(text, 'chatterbot_connections{role="edge",node="a"} 3\n')
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds']) t.match(text, `\n${name}{role="edge",node="a"} `)
  connections = 4
  t.match(await metrics.expose(), 'chatterbot_connections{role="edge",node="a"} 4\n')
})

t.test('two processes in one, or two tests, keep their metrics apart', async (t) => {
  const one = createMetrics({ role: 'edge', node: 'a' })
  const other = createMetrics({ role: 'bridge', node: 'b' })
  one.counter({ name: 'chatterbot_own_total', help: 'Of one.' }).inc()
  t.notMatch(await other.expose(), /chatterbot_own_total/)
  t.throws(() => one.counter({ name: 'chatterbot_own_total', help: 'Again.' }), /already been registered/)
})

t.test('a label whose values have no end is refused', (t) => {
  const metrics = createMetrics({ role: 'edge', node: 'a' })
  for (const label of ['user', 'user_id', 'conversation_id', 'turn_id']) {
    t.throws(() => metrics.counter({ name: 'chatterbot_x_total', help: 'X.', labels: [label] }), { name: 'RangeError', message: `chatterbot_x_total must not have a label ${label}: its values have no end` })
  }
  t.end()
})
