import { once } from 'node:events'
import net from 'node:net'
import t, { type Test } from 'tap'
import Type from 'typebox'
import uWS from 'uWebSockets.js'
import { ChatError } from '../../protocol/errors.ts'
import type { Operation } from '../../protocol/rest/operation.ts'
import { noTracer } from '../../platform/tracing/tracer.ts'
import { allPermissions, nobody, type Identity } from '../auth/authenticator.ts'
import { testLimits } from '../testing/test-limits.ts'
import { listen } from '../listener.ts'
import { problemOf } from './answer.ts'
import { Api } from './api.ts'
import { Bodies } from './body.ts'
import { ClientAddresses } from './client-address.ts'
import { Exchanges } from './exchanges.ts'
import { bind, type Handlers } from './operation-group.ts'
import { OriginRules } from './origin-rules.ts'
import { serveHttp } from './router.ts'
import type { StreamListener, StreamSink } from './stream-sink.ts'

const anyone: Identity = { ...nobody, actsForOthers: true, permissions: allPermissions }

const operations = {
  echo: { method: 'post', path: '/echo/{id}', permission: 'turns:write', summary: 'Says what it was told', params: Type.Object({ id: Type.Integer() }), body: Type.Object({ text: Type.String() }), bodyBytes: 1024, responses: {}, errors: [] },
  read: { method: 'get', path: '/echo/{id}', permission: 'any', summary: 'Reads', params: Type.Object({ id: Type.String() }), responses: {}, errors: [] },
  stream: { method: 'get', path: '/stream', permission: 'public', summary: 'Streams', responses: {}, errors: [] },
} as const satisfies Readonly<Record<string, Operation>>

interface Served {
  readonly port: number
  readonly exchanges: Exchanges
  readonly bodies: Bodies
  readonly faults: unknown[]
  identity: Identity
  nowMs: number
}

async function serve(t: Test, handlers: Partial<Handlers<typeof operations>>): Promise<Served> {
  const app = uWS.App()
  const faults: unknown[] = []
  const monotonic = (): number => served.nowMs
  const nothing = (): void => {}
  const logger = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: (fault: unknown) => void faults.push(fault), fatal: nothing, child: () => logger }
  const exchanges = new Exchanges({ monotonic, logger })
  const addresses = new ClientAddresses({ trusted: [], header: 'x-forwarded-for' })
  const origins = new OriginRules({ allowed: null, onLoopback: true, asksForNoCredentials: false })
  const served = { port: 0, exchanges, bodies: new Bodies(monotonic), faults, identity: anyone, nowMs: 0 }
  const all: Handlers<typeof operations> = {
    echo: ({ params, body }) => ({ status: 200, headers: {}, body: JSON.stringify({ ...params, ...body }) }),
    read: ({ params }) => ({ status: 200, headers: {}, body: params.id }),
    stream: () => ({ status: 204, headers: {}, body: null }),
    ...handlers,
  }
  const api = new Api({
    operations: bind(operations, all, problemOf),
    identify: () => Promise.resolve(served.identity),
    admission: testLimits().admission,
    bodies: served.bodies,
    origins,
    tracer: noTracer,
    isDraining: () => false,
    logger,
  })
  serveHttp(app, { api, get: new Map(), otherwise: () => null, notFound: () => problemOf(new ChatError('not_found')) }, { exchanges, origins, addresses, logger })
  const listener = await listen(app, { host: '127.0.0.1', port: 0, isShared: false })
  t.teardown(() => app.close())
  served.port = listener.port
  return served
}

function post(port: number, path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } })
}

/** Sends bytes as they are, and gives all that comes until the server closes. */
async function raw(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  socket.end(text)
  let received = ''
  for await (const chunk of socket) received += String(chunk)
  return received
}

t.test('an operation gets its parts, and its answer bears the id of the request', async (t) => {
  const { port } = await serve(t, {})
  const answer = await post(port, '/echo/7', '{"text":"hi","other":1}')
  t.equal(answer.status, 200)
  t.same(await answer.json(), { id: 7, text: 'hi' })
  t.match(answer.headers.get('x-request-id'), /^[0-9a-f-]{36}$/)
  t.equal(answer.headers.get('ratelimit'), '"requests_per_address";r=999999;t=60')
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
})

t.test('what is wrong is told as problem details that name the field', async (t) => {
  const { port } = await serve(t, {})
  const wrong = await post(port, '/echo/7', '{"text":1}')
  t.equal(wrong.status, 400)
  t.equal(wrong.headers.get('content-type'), 'application/problem+json')
  t.match(await wrong.json(), { status: 400, code: 'invalid_field', retryable: false, errors: [{ in: 'body', pointer: '/text' }] })
  t.match(await (await post(port, '/echo/x', '{"text":""}')).json(), { code: 'invalid_field', errors: [{ in: 'path', name: 'id' }] })
  t.match(await (await post(port, '/nowhere', '{}')).json(), { status: 404, code: 'not_found' })
  const method = await fetch(`http://127.0.0.1:${port}/echo/7`, { method: 'DELETE' })
  t.equal(method.status, 405)
  t.equal(method.headers.get('allow'), 'GET, HEAD, OPTIONS, POST')
})

t.test('who may not do it is refused before the body is looked at', async (t) => {
  const served = await serve(t, {})
  served.identity = { ...anyone, permissions: new Set([...allPermissions].filter((each) => each !== 'turns:write')) }
  const refused = await post(served.port, '/echo/7', 'no JSON')
  t.equal(refused.status, 403)
  t.match(await refused.json(), { code: 'forbidden', detail: /turns:write/ })
  t.equal((await fetch(`http://127.0.0.1:${served.port}/echo/7`)).status, 200)
})

t.test('a handler that fails is our fault, and says nothing of why; an error of the catalogue says how long to wait', async (t) => {
  const { port, faults } = await serve(t, {
    read: ({ params }) => {
      if (params.id === 'busy') throw new ChatError('rate_limited', undefined, { retryAfterMs: 1_200 })
      throw new Error('the secret reason')
    },
  })
  const failed = await fetch(`http://127.0.0.1:${port}/echo/x`)
  t.equal(failed.status, 500)
  t.notMatch(await failed.text(), /secret/)
  t.equal(faults.length, 1)
  const busy = await fetch(`http://127.0.0.1:${port}/echo/busy`)
  t.equal(busy.status, 429)
  t.equal(busy.headers.get('retry-after'), '2')
})

t.test('an answer that cannot be sent ends its connection, and only that', async (t) => {
  const { port, faults, exchanges } = await serve(t, {
    read: ({ params }) => ({ status: 200, headers: params.id === 'x' ? { 'X-Title': 'a\r\nSet-Cookie: b' } : {}, body: 'well' }),
    stream: () => ({
      status: 200,
      headers: {},
      open: () => {
        throw new Error('not openable')
      },
    }),
  })
  t.equal(await raw(port, 'GET /echo/x HTTP/1.1\r\nHost: x\r\n\r\n'), '')
  t.notMatch(await raw(port, 'GET /stream HTTP/1.1\r\nHost: x\r\n\r\n'), /\r\n\r\n./)
  t.equal(faults.length, 2)
  t.equal(exchanges.waiting + exchanges.streaming + exchanges.sending, 0)
  t.equal(await (await fetch(`http://127.0.0.1:${port}/echo/y`)).text(), 'well')
})

t.test('a body is counted, whatever its head says, and is given up when it does not come', async (t) => {
  const served = await serve(t, {})
  const { port, bodies } = served
  const tooLarge = JSON.stringify({ text: 'x'.repeat(2_000) })
  t.equal((await post(port, '/echo/7', tooLarge)).status, 413)
  const head = 'POST /echo/7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
  const chunked = await raw(port, `${head}Transfer-Encoding: chunked\r\n\r\n${tooLarge.length.toString(16)}\r\n${tooLarge}\r\n0\r\n\r\n`)
  t.match(chunked, /^HTTP\/1.1 413 /)
  t.equal(bodies.held, 0)

  const socket = net.connect(port, '127.0.0.1')
  socket.write(`${head}Content-Length: 20\r\n\r\n{"text":`)
  while (bodies.held === 0) await new Promise(setImmediate)
  served.nowMs = 15_000
  bodies.tick()
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(answer.toString(), /^HTTP\/1.1 408 /)
  await once(socket, 'close')
  t.equal(bodies.held, 0)
})

t.test('a client that goes away is told of, and nothing is kept for it', async (t) => {
  let gone: (() => void) | undefined
  const wentAway = new Promise<void>((resolve) => (gone = resolve))
  let asked: (() => void) | undefined
  const wasAsked = new Promise<void>((resolve) => (asked = resolve))
  const { port, exchanges, bodies, faults } = await serve(t, {
    read: ({ request }) => {
      request.onGone(() => gone?.())
      asked?.()
      return new Promise(() => {})
    },
  })
  const socket = net.connect(port, '127.0.0.1')
  socket.write('GET /echo/7 HTTP/1.1\r\nHost: x\r\n\r\n')
  await wasAsked
  t.equal(exchanges.waiting, 1)
  socket.destroy()
  await wentAway
  t.equal(exchanges.waiting, 0)
  const half = net.connect(port, '127.0.0.1')
  half.write('POST /echo/7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"text":')
  while (bodies.held === 0) await new Promise(setImmediate)
  half.destroy()
  while (bodies.held > 0 || exchanges.waiting > 0) await new Promise(setImmediate)
  t.same(faults, [])
})

interface OpenStream {
  readonly sink: StreamSink
  readonly heard: string[]
}

function streaming(): { readonly handler: Handlers<typeof operations>['stream']; readonly opened: Promise<OpenStream> } {
  let resolve: ((stream: OpenStream) => void) | undefined
  const opened = new Promise<OpenStream>((each) => (resolve = each))
  return {
    opened,
    handler: () => ({
      status: 200,
      headers: { 'Content-Type': 'text/event-stream' },
      open: (sink) => {
        const heard: string[] = []
        const listener: StreamListener = { drained: () => void heard.push('drained'), closed: () => void heard.push('closed'), draining: () => void heard.push('draining') }
        resolve?.({ sink, heard })
        return listener
      },
    }),
  }
}

t.test('a stream is written as it comes, and ends where it says so', async (t) => {
  const { handler, opened } = streaming()
  const { port, exchanges } = await serve(t, { stream: handler })
  const asked = fetch(`http://127.0.0.1:${port}/stream`)
  const { sink, heard } = await opened
  t.equal(exchanges.streaming, 1)
  sink.write('one ')
  const answer = await asked
  t.equal(answer.headers.get('content-type'), 'text/event-stream')
  sink.write(Buffer.from('two'))
  sink.end()
  sink.write('never')
  t.equal(await answer.text(), 'one two')
  t.same(heard, [])
  t.equal(exchanges.streaming, 0)
})

t.test('a stream is held back by a client that reads slowly, and given up when it reads nothing', async (t) => {
  const { handler, opened } = streaming()
  const served = await serve(t, { stream: handler })
  const socket = net.connect(served.port, '127.0.0.1')
  socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n')
  socket.pause()
  const { sink, heard } = await opened
  const chunk = 'x'.repeat(64 * 1024)
  let written = 0
  while (sink.writable && written < 1_000) {
    sink.write(chunk)
    written += 1
  }
  t.ok(written < 1_000, 'it says when it holds enough')
  socket.resume()
  while (!sink.writable) await new Promise(setImmediate)
  t.same(heard, ['drained'])
  socket.pause()
  while (sink.writable) sink.write(chunk)
  served.nowMs = 30_000
  served.exchanges.tick()
  t.same(heard, ['drained', 'closed'])
  t.equal(served.exchanges.streaming, 0)
  socket.destroy()
})

t.test('a stream whose client goes away ends, and one under way is told of a drain', async (t) => {
  const { handler, opened } = streaming()
  const { port, exchanges } = await serve(t, { stream: handler })
  const socket = net.connect(port, '127.0.0.1')
  socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n')
  const { heard } = await opened
  const drained = exchanges.drain(10_000)
  t.same(heard, ['draining'])
  socket.destroy()
  await drained
  t.same(heard, ['draining', 'closed'])
})

t.test('a stream that begins while the server stops is told so at once', async (t) => {
  const { handler, opened } = streaming()
  let asked = (): void => {}
  const wasAsked = new Promise<void>((resolve) => (asked = resolve))
  let answer = (): void => {}
  const mayAnswer = new Promise<void>((resolve) => (answer = resolve))
  const { port, exchanges } = await serve(t, {
    stream: async (call) => {
      asked()
      await mayAnswer
      return handler(call)
    },
  })
  const leaving = new AbortController()
  const stream = fetch(`http://127.0.0.1:${port}/stream`, { signal: leaving.signal }).catch(() => null)
  await wasAsked
  const drained = exchanges.drain(10_000)
  answer()
  const { sink, heard } = await opened
  await new Promise(setImmediate)
  t.same(heard, ['draining'])
  sink.cut()
  await drained
  await stream
})
