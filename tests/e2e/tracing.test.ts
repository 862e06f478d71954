/** What one request brings about is one trace, from the client's own span to the engine's request; without a collector, its id still gets there. */
import { once } from 'node:events'
import { createServer, request as forward, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { connectClient, dataFolder, startStandalone } from './standalone-process.ts'

t.setTimeout(120_000)

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const clientSpan = '00f067aa0ba902b7'

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly events?: readonly { readonly name: string }[]
}

interface Export {
  readonly resourceSpans: readonly { readonly resource: { readonly attributes: readonly unknown[] }; readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[]
}

async function serve(t: Test, handle: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return body
}

/** A collector, and an engine whose requests are looked at. */
async function surroundings(t: Test): Promise<{ readonly engineUrl: string; readonly collectorUrl: string; readonly spans: Span[]; readonly resources: unknown[]; readonly traceparents: string[] }> {
  const engine = await startSimulatedVllm()
  t.teardown(() => engine.close())
  const spans: Span[] = []
  const resources: unknown[] = []
  const traceparents: string[] = []
  const engineUrl = await serve(t, (request, response) => {
    const { traceparent } = request.headers
    if (typeof traceparent === 'string') traceparents.push(traceparent)
    const { pathname } = new URL(request.url ?? '', engine.url)
    const passed = forward(`${engine.url}${pathname}`, { method: request.method ?? 'GET', headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => response.destroy())
    request.pipe(passed)
  })
  const collectorUrl = await serve(t, (request, response) => {
    void bodyOf(request).then((body) => {
      if (request.url === '/v1/traces') {
        for (const { resource, scopeSpans } of (JSON.parse(body) as Export).resourceSpans) {
          resources.push(resource)
          spans.push(...scopeSpans.flatMap((scope) => scope.spans))
        }
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  return { engineUrl, collectorUrl, spans, resources, traceparents }
}

const ask = { method: 'POST', headers: { 'Content-Type': 'application/json', traceparent: `00-${traceId}-${clientSpan}-01` }, body: JSON.stringify({ user_id: 'ann', message: 'Hello [[tokens=5]]' }) }

t.test('a chat is one trace of request, turn, run and engine request, and a command over WebSocket begins one', async (t) => {
  const { engineUrl, collectorUrl, spans, resources, traceparents } = await surroundings(t)
  const server = await startStandalone(t, { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: engineUrl, OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl, OTEL_SERVICE_NAME: 'our-chat' })
  t.equal((await fetch(`${server.ready.url}/chat`, ask)).status, 200)
  const client = connectClient(t, server.webSocketUrl, { userId: 'ben' })
  const conversation = await client.createConversation()
  await conversation.send('Hello [[tokens=5]]').finished
  client.close()
  // What has not been sent yet is sent then.
  t.equal((await server.stop()).code, 0)

  const named = (name: string, trace: (id: string) => boolean): Span => spans.find((span) => span.name === name && trace(span.traceId)) ?? { name: `no ${name}`, traceId: '', spanId: '' }
  const ours = (id: string): boolean => id === traceId
  const [http, turn, run, engine] = [named('chat', ours), named('turn', ours), named('run', ours), named('engine request', ours)]
  t.equal(http.parentSpanId, clientSpan)
  t.equal(turn.parentSpanId, http.spanId)
  t.equal(run.parentSpanId, turn.spanId)
  t.equal(engine.parentSpanId, run.spanId)
  t.ok(traceparents.includes(`00-${traceId}-${engine.spanId}-01`), 'the engine gets it as well')
  t.same(turn.events?.map(({ name }) => name), ['granted'])
  t.same(engine.events?.map(({ name }) => name), ['first token'])
  const command = named('websocket message.send', (id) => id !== traceId)
  t.equal(named('turn', (id) => id === command.traceId).parentSpanId, command.spanId)
  t.match(JSON.stringify(resources[0]), /"service.name","value":\{"stringValue":"our-chat"/)
})

t.test('without a collector, the trace of the client gets to the engine as it is', async (t) => {
  const { engineUrl, traceparents } = await surroundings(t)
  const server = await startStandalone(t, { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: engineUrl })
  t.equal((await fetch(`${server.ready.url}/chat`, ask)).status, 200)
  t.same(traceparents, [`00-${traceId}-${clientSpan}-01`])
  t.equal((await fetch(`${server.ready.url}/chat`, { ...ask, headers: { ...ask.headers, traceparent: 'no trace' } })).status, 200)
  t.equal(traceparents.length, 1, 'what is none is nobody\'s parent')
  await server.stop()
})
