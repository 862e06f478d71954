import t from 'tap'
import { createMetrics } from '../../platform/metrics/metrics.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { startTestEdge } from '../testing/test-edge.ts'
import type { Outcome } from './exchange.ts'
import { HttpRequestContext } from './request-context.ts'
import { RequestHead } from './request-head.ts'
import { RequestLog } from './request-log.ts'

type Line = readonly [level: string, fields: Readonly<Record<string, unknown>>]

function logTo(lines: Line[]): Logger {
  const write = (level: string) => (fields: Readonly<Record<string, unknown>> | string) => void (typeof fields === 'string' || lines.push([level, fields]))
  const logger: Logger = { trace: write('trace'), debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), fatal: write('fatal'), child: () => logger }
  return logger
}

const head = new RequestHead({ getMethod: () => 'post', getUrl: () => '/turns/secret-path', getQuery: () => 'ticket=secret', forEach: (each) => each('authorization', 'Bearer secret') })

function outcome(fields: Partial<Outcome>): Outcome {
  return { request: new HttpRequestContext(head, 'secret-address'), route: 'beginTurn', keyId: 'key-1', status: 200, bytes: 10, decidedMs: 5, isWhole: true, ...fields }
}

t.test('what failed is logged with its request, and nothing of what it said', async (t) => {
  const lines: Line[] = []
  const none = { waiting: 0, sending: 0, streaming: 0, bodyBytes: 0, connections: 0, refusedConnections: 0 }
  let now = 1_000
  const log = new RequestLog({ logger: logTo(lines), metrics: createMetrics({ role: 'edge', node: 'test' }), monotonic: () => now, counts: () => none })
  for (const [status, decidedMs] of [[200, 5], [404, 5], [429, 5], [401, 5], [403, 5], [503, 5], [500, 5], [502, 5], [200, 30_000], [null, 5]] as const) log.ended(outcome({ status, decidedMs }))
  t.same(lines.map(([level]) => level), ['debug', 'debug', 'debug', 'info', 'info', 'info', 'warn', 'warn', 'info', 'debug'])
  t.match(lines[6]?.[1], { method: 'post', route: 'beginTurn', status: 500, ms: 5, key: 'key-1', request: /^[0-9a-f-]{36}$/ })
  t.notMatch(JSON.stringify(lines), /secret/)
  for (let n = 0; n < 1_000; n++) log.ended(outcome({ status: 500 }))
  t.ok(lines.length < 70, 'a flood of failures is no flood of lines')
  now += 1_000
  log.ended(outcome({ status: 500 }))
  t.equal(lines.at(-1)?.[1]['left_out'], 1_000 + 6 - 50)
})

t.test('requests are counted by what they asked for, and what is open by what it does', async (t) => {
  const { edge, metric } = await startTestEdge(t)
  await fetch(`http://127.0.0.1:${edge.port}/conversations`, { headers: { 'X-User-Id': 'u' } })
  await fetch(`http://127.0.0.1:${edge.port}/nothing/here?ticket=1`)
  t.equal(await metric('chatterbot_http_requests_total', 'route="listConversations",status="200"'), 1)
  t.equal(await metric('chatterbot_http_requests_total', 'route="none",status="404"'), 1)
  t.equal(await metric('chatterbot_http_request_seconds_count', 'route="listConversations"'), 1)
  t.equal(await metric('chatterbot_http_open_requests', 'stage="waiting"'), 0)
})
