/** An edge that stops, while its clients go on: of what they ask, nothing is lost. */
import { once } from 'node:events'
import { Agent, request as send, type IncomingMessage } from 'node:http'
import t from 'tap'
import { scriptedService } from '../testing/scripted-service.ts'
import { startTestEdge } from '../testing/test-edge.ts'

interface Answer {
  readonly status: number
  readonly closes: boolean
}

async function ask(port: number, agent: Agent): Promise<Answer> {
  const request = send({ host: '127.0.0.1', port, path: '/conversations', agent, headers: { 'X-User-Id': 'u' } }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  return { status: response.statusCode ?? 0, closes: response.headers.connection === 'close' }
}

t.test('what was asked before is answered, and its connection ends with the answer', async (t) => {
  let answer = (): void => {}
  let asked = (): void => {}
  const wasAsked = new Promise<void>((resolve) => (asked = resolve))
  const service = scriptedService({
    list: () => {
      asked()
      return new Promise((resolve) => (answer = () => resolve({ type: 'conversations', conversations: [], has_more: false })))
    },
  })
  const { edge } = await startTestEdge(t, { service })
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const waiting = ask(edge.port, agent)
  await wasAsked
  const drained = edge.drain()
  answer()
  t.same(await waiting, { status: 200, closes: true })
  await drained
})

t.test('one of two edges stops: clients that turn to the other after 503 or a broken connection get all of their answers', async (t) => {
  const first = await startTestEdge(t)
  const second = await startTestEdge(t)
  const ports = [first.edge.port, second.edge.port] as const
  const agent = new Agent({ keepAlive: true, maxSockets: 20 })
  t.teardown(() => agent.destroy())
  const persistent = async (client: number): Promise<number> => {
    for (let attempt = 1; ; attempt++) {
      const answer = await ask(ports[(client + attempt) % 2 === 0 ? 0 : 1], agent).catch(() => null)
      if (answer !== null && answer.status !== 503) return answer.status
      if (attempt === 5) return answer?.status ?? 0
    }
  }
  let stopped = false
  const statuses: number[] = []
  const clients = Array.from({ length: 20 }, async (_, client) => {
    for (let after = 0; after < 5; after += stopped ? 1 : 0) statuses.push(await persistent(client))
  })
  while (statuses.length < 100) await new Promise(setImmediate)
  await first.edge.drain()
  await first.edge.stop()
  stopped = true
  await Promise.all(clients)
  t.ok(statuses.length >= 200)
  t.same([...new Set(statuses)], [200])
  t.same([...first.faults, ...second.faults], [])
})
