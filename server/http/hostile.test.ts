/** What no well-meaning client sends, on raw sockets: each of it is refused or bounded, and nobody else notices. */
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { openAiOperations } from '../../protocol/openai/operations.ts'
import type { Operation } from '../../protocol/rest/operation.ts'
import { restOperations } from '../../protocol/rest/operations.ts'
import { scriptedService } from '../testing/scripted-service.ts'
import { startTestEdge } from '../testing/test-edge.ts'
import { ClientAddresses } from './client-address.ts'

const host = 'Host: 127.0.0.1\r\n'
const json = 'Content-Type: application/json\r\n'

/** Sends the text as it is, and gives all that comes until the server closes. */
async function raw(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let received = ''
  socket.on('data', (chunk) => (received += chunk.toString('latin1')))
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(Buffer.from(text, 'latin1'))
  await closed
  return received
}

/** The first answer's status, on a connection that stays open. */
async function status(port: number, text: string): Promise<number> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(Buffer.from(text, 'latin1'))
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return Number(chunk.toString('latin1').split(' ')[1])
}

const answers = (received: string): number => received.split('HTTP/1.1 ').length - 1

t.test('a request whose end can be understood in two ways ends the connection, and nothing behind it is looked at', async (t) => {
  const { edge } = await startTestEdge(t)
  const smuggled = `GET /health HTTP/1.1\r\n${host}\r\n`
  const framings = [
    'Content-Length: 4\r\nContent-Length: 39\r\n',
    'Content-Length: 4\r\nContent-Length: 4\r\n',
    'Content-Length: \r\n',
    'Content-Length: +4\r\n',
    'Content-Length: 4, 4\r\n',
    'Content-Length: 0x4\r\n',
    'Content-Length: 18446744073709551617\r\n',
    'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
    'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
    'Transfer-Encoding: xchunked\r\n',
    'Transfer-Encoding: gzip, chunked\r\n',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
    'Transfer-Encoding: identity\r\n',
  ]
  for (const framing of framings) {
    for (const method of ['POST', 'GET', 'HEAD']) {
      const received = await raw(edge.port, `${method} /conversations HTTP/1.1\r\n${host}${json}${framing}\r\n0\r\n\r\n${smuggled}`)
      t.notMatch(received, /"status":"ok"/, `${method} ${JSON.stringify(framing)}`)
      t.ok(answers(received) <= 1, `${method} ${JSON.stringify(framing)}`)
      if (answers(received) === 1) t.match(received, /^HTTP\/1.1 (400|505) /)
    }
  }
})

t.test('a body in chunks is the last thing on its connection, whatever the chunks say', async (t) => {
  const { edge } = await startTestEdge(t)
  const head = `POST /nowhere HTTP/1.1\r\n${host}${json}Transfer-Encoding: chunked\r\n\r\n`
  const behind = `GET /health HTTP/1.1\r\n${host}\r\n`
  for (const body of ['2\r\nhi\r\n0\r\n\r\n', '2\r\nhixx\r\n0\r\n\r\n', '2\nhi\n0\n\n', 'zz\r\nhi\r\n0\r\n\r\n', 'ffffffffffffffff1\r\nhi\r\n0\r\n\r\n', '-1\r\nhi\r\n0\r\n\r\n']) {
    const received = await raw(edge.port, head + body + behind)
    t.notMatch(received, /"status":"ok"/, JSON.stringify(body))
    t.match(await raw(edge.port, head + body), /^(HTTP\/1.1 (404|400) |$)/, JSON.stringify(body))
  }
})

t.test('headers that have one meaning may not come twice', async (t) => {
  const { edge } = await startTestEdge(t)
  for (const name of ['Authorization', 'X-API-Key', 'X-User-Id', 'Content-Type', 'Host', 'Origin', 'Idempotency-Key', 'Last-Event-ID']) {
    const value = name === 'Host' ? '127.0.0.1' : 'a'
    const received = await raw(edge.port, `GET /conversations HTTP/1.1\r\n${name === 'Host' ? '' : host}${name}: ${value}\r\n${name}: ${value}\r\n\r\n`)
    t.match(received, /^HTTP\/1.1 400 [^]*Connection: close[^]*"code":"bad_head"/, name)
  }
  t.equal(await status(edge.port, `GET /health HTTP/1.1\r\n${host}Accept: a\r\nAccept: b\r\n\r\n`), 200)
  const upgrade = `GET /ws HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n`
  t.equal(await status(edge.port, `${upgrade}\r\n`), 101)
  t.equal(await status(edge.port, `${upgrade}Authorization: a\r\nAuthorization: b\r\n\r\n`), 400)
})

t.test('a large head is refused, and one that holds a long token is not', async (t) => {
  const { edge } = await startTestEdge(t)
  const ask = (bytes: number): string => `GET /conversations HTTP/1.1\r\n${host}X-User-Id: u\r\nAuthorization: Bearer ${'a'.repeat(bytes)}\r\n\r\n`
  t.equal(await status(edge.port, ask(8 * 1024)), 200)
  t.match(await raw(edge.port, ask(20 * 1024)), /^HTTP\/1.1 431 [^]*"code":"head_too_large"/)
})

t.test('only HTTP/1.1 is spoken, to paths of this server', async (t) => {
  const { edge } = await startTestEdge(t)
  for (const line of ['GET / HTTP/1.0', 'GET / HTTP/2.0', 'PRI * HTTP/2.0', 'GET http://evil.example/ HTTP/1.1', 'CONNECT evil.example:443 HTTP/1.1', 'OPTIONS * HTTP/1.1', '\x16\x03\x01\x02\x00\x01', 'GET /a b HTTP/1.1', 'GET /\n'])
    t.match(await raw(edge.port, `${line}\r\n${host}\r\n`), /^HTTP\/1.1 505 /, JSON.stringify(line))
  t.equal(await status(edge.port, `GET //evil.example/ HTTP/1.1\r\n${host}\r\n`), 404)
})

t.test('a request that does not wait for the answer before it ends the connection', async (t) => {
  const { edge } = await startTestEdge(t)
  const request = `GET /health HTTP/1.1\r\n${host}\r\n`
  t.ok(answers(await raw(edge.port, request.repeat(10_000))) <= 1)
  const socket = net.connect(edge.port, '127.0.0.1')
  for (let n = 0; n < 3; n++) {
    socket.write(request)
    t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 200 /, 'one after another they are answered')
  }
  socket.destroy()
})

t.test('a body where none is asked for is passed over, and one announced is told to come', async (t) => {
  const { edge } = await startTestEdge(t)
  const socket = net.connect(edge.port, '127.0.0.1')
  socket.write(`GET /health HTTP/1.1\r\n${host}Content-Length: 40\r\n\r\nGET /conversations HTTP/1.1`)
  t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 200 /)
  socket.write(`${'x'.repeat(40 - 27)}GET /nowhere HTTP/1.1\r\n${host}\r\n`)
  t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 404 /)
  socket.destroy()
  t.equal(await status(edge.port, `POST /health HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`), 100)
})

t.test('a page of another origin may neither act nor read', async (t) => {
  const { edge } = await startTestEdge(t)
  const ask = (method: string, headers: string): Promise<string> => raw(edge.port, `${method} /conversations HTTP/1.1\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`)
  const own = `127.0.0.1:${edge.port}`
  const evil = await ask('GET', `Host: ${own}\r\nOrigin: https://evil.example\r\nX-User-Id: u\r\n`)
  t.match(evil, /^HTTP\/1.1 200 /)
  t.notMatch(evil, /Access-Control/)
  for (const origin of ['https://evil.example', 'null', `http://${own}.evil.example`, `https://${own}`.replace('127', '128')]) {
    const refused = await raw(edge.port, `POST /sample HTTP/1.1\r\nHost: ${own}\r\nOrigin: ${origin}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`)
    t.match(refused, /^HTTP\/1.1 (403|404) /, origin)
  }
  for (const name of ['evil.example', 'evil.example:8001', '127.0.0.1.evil.example', '10.0.0.1']) t.match(await ask('GET', `Host: ${name}\r\nX-User-Id: u\r\n`), /^HTTP\/1.1 421 [^]*"code":"wrong_host"/, name)
  for (const name of ['localhost', 'LOCALHOST:8001', '[::1]:8001', 'a.localhost']) t.match(await ask('GET', `Host: ${name}\r\nX-User-Id: u\r\n`), /^HTTP\/1.1 200 /, name)
})

t.test('a page of the list may send every header that an operation takes, and read every one that it answers', async (t) => {
  const { edge } = await startTestEdge(t, { allowedOrigins: ['https://app.example'] })
  const Origin = 'https://app.example'
  const listOf = async (method: string, name: string): Promise<readonly string[]> => {
    const { headers } = await fetch(`http://127.0.0.1:${edge.port}/v1/models`, { method, headers: { Origin, 'Access-Control-Request-Method': 'GET' } })
    return (headers.get(name) ?? '').toLowerCase().split(', ')
  }
  const [sent, read] = [await listOf('OPTIONS', 'access-control-allow-headers'), await listOf('GET', 'access-control-expose-headers')]
  const operations: readonly Operation[] = [...Object.values(restOperations), ...Object.values(openAiOperations)]
  t.same(operations.flatMap(({ headers }) => Object.keys(headers?.properties ?? {})).filter((name) => !sent.includes(name)), [])
  const answered = operations.flatMap(({ responses }) => Object.values(responses).flatMap(({ headers }) => Object.keys(headers ?? {})))
  t.same([...answered, 'Retry-After-Ms', 'X-Client-Request-Id', 'X-Should-Retry'].filter((name) => !read.includes(name.toLowerCase())), [])
})

t.test('a page of the list may, and preflights say so', async (t) => {
  const { edge } = await startTestEdge(t, { allowedOrigins: ['https://app.example'] })
  const ask = (origin: string, method = 'GET', headers: Readonly<Record<string, string>> = {}): Promise<Response> => fetch(`http://127.0.0.1:${edge.port}/conversations`, { method, headers: { Origin: origin, 'X-User-Id': 'u', ...headers } })
  const preflight = await ask('https://app.example', 'OPTIONS', { 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'x-user-id' })
  t.equal(preflight.status, 204)
  t.equal(preflight.headers.get('access-control-allow-origin'), 'https://app.example')
  t.match(preflight.headers.get('access-control-allow-methods'), /GET/)
  t.match(preflight.headers.get('access-control-allow-headers'), /X-User-Id/)
  t.equal(preflight.headers.get('access-control-allow-credentials'), null)
  const answer = await ask('https://app.example')
  t.equal(answer.headers.get('access-control-allow-origin'), 'https://app.example')
  t.equal(answer.headers.get('vary'), 'Origin')
  t.match(answer.headers.get('access-control-expose-headers'), /X-Request-Id/)
  const refused = await ask('https://app.example', 'GET', { 'X-User-Id': '' })
  t.equal(refused.status, 400)
  t.equal(refused.headers.get('access-control-allow-origin'), 'https://app.example', 'errors can be read as well')
  const other = await ask('https://evil.example', 'OPTIONS', { 'Access-Control-Request-Method': 'GET' })
  t.equal(other.headers.get('access-control-allow-origin'), null)
  t.equal(other.headers.get('vary'), 'Origin')
})

t.test('an address has so many requests open at once, and others go on', async (t) => {
  let waiting = 0
  const service = scriptedService({ list: () => new Promise(() => void (waiting += 1)) })
  const { edge } = await startTestEdge(t, { service, maxConnections: 40, maxConnectionsPerAddress: 4, addresses: new ClientAddresses({ trusted: ['127.0.0.1'], header: 'x-forwarded-for' }) })
  const ask = (address: string): string => `GET /conversations HTTP/1.1\r\n${host}X-User-Id: u\r\nX-Forwarded-For: ${address}\r\n\r\n`
  const sockets = Array.from({ length: 4 }, () => net.connect(edge.port, '127.0.0.1'))
  for (const socket of sockets) socket.write(ask('10.0.0.1'))
  while (waiting < 4) await new Promise(setImmediate)
  t.equal(await status(edge.port, ask('10.0.0.1')), 429)
  const other = net.connect(edge.port, '127.0.0.1')
  other.write(ask('10.0.0.2'))
  while (waiting < 5) await new Promise(setImmediate)
  for (const socket of [...sockets, other]) socket.destroy()
})

t.test('ids of requests are taken over where they can do no harm', async (t) => {
  const { edge } = await startTestEdge(t)
  const idFor = async (id: string): Promise<string | null> => (await fetch(`http://127.0.0.1:${edge.port}/health`, { headers: { 'X-Request-Id': id } })).headers.get('x-request-id')
  t.equal(await idFor('proxy-1.2:3/4'), 'proxy-1.2:3/4')
  for (const id of ['a b', 'x'.repeat(65), '"', '<script>', '${jndi}']) t.match(await idFor(id), /^[0-9a-f-]{36}$/, id)
})

t.test('whoever reads no answers holds one of them, and no more', async (t) => {
  const { edge } = await startTestEdge(t)
  const before = process.memoryUsage().rss
  const sockets = Array.from({ length: 50 }, () => net.connect(edge.port, '127.0.0.1'))
  for (const socket of sockets) {
    socket.on('error', () => {})
    socket.pause()
    for (let n = 0; n < 200; n++) socket.write(`GET /metrics HTTP/1.1\r\n${host}\r\n`)
  }
  t.equal(await status(edge.port, `GET /health HTTP/1.1\r\n${host}\r\n`), 200)
  t.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024)
  for (const socket of sockets) socket.destroy()
})

t.test('idle connections, heads that come bit by bit and bodies that stop end within 13 s, and 2,000 of them disturb nobody', async (t) => {
  const { edge, metric } = await startTestEdge(t, { maxConnections: 20_000 })
  const ended = async (begin: (socket: net.Socket) => NodeJS.Timeout | undefined): Promise<void> => {
    const socket = net.connect(edge.port, '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const timer = begin(socket)
    socket.resume()
    await closed
    clearInterval(timer)
  }
  const drip = (socket: net.Socket, text: string): NodeJS.Timeout => setInterval(() => socket.writable && socket.write(text), 500)
  const idle: Promise<void>[] = []
  // Fewer at once than wait at the port: of one that found no room there the server never hears, nor it of the server.
  for (let n = 1; n <= 2_000; n++) {
    idle.push(ended(() => undefined))
    if (n % 200 === 0) while ((await metric('chatterbot_http_connections')) < n) await new Promise(setImmediate)
  }
  const slow = [
    ended((socket) => void socket.write(`GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n`)),
    ended((socket) => (socket.write('GET /health HTTP/1.1\r\nX: '), drip(socket, 'a'))),
    ended((socket) => (socket.write(`POST /health HTTP/1.1\r\n${host}Content-Length: 1000\r\n\r\n`), drip(socket, 'a'))),
    ended((socket) => void socket.write(`POST /nowhere HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n4`)),
    ended((socket) => void socket.write('GET /health HTTP/1.1\r\n\r\n')),
    ended((socket) => void socket.write(`GET /health HTTP/1.1\r\n${host}X: a\r\n folded\r\n\r\n`)),
    ended((socket) => void socket.write(`GET /health HTTP/1.1\r\n${host}${'X: a\r\n'.repeat(300)}\r\n`)),
  ]
  t.equal(await status(edge.port, `GET /health HTTP/1.1\r\n${host}\r\n`), 200)
  const began = performance.now()
  await Promise.all([...idle, ...slow])
  t.ok(performance.now() - began < 20_000)
})
