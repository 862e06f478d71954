import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import path from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { selfSigned } from '../../testing/self-signed.ts'
import type { Answer } from './connection.ts'
import { Connections } from './connections.ts'

/** What an answer heard. */
class Heard implements Answer {
  status: number | null = null
  text = ''
  ends = 0
  readonly faults: Error[] = []
  readonly over: Promise<void>
  #resolve!: () => void

  constructor() {
    this.over = new Promise((resolve) => (this.#resolve = resolve))
  }

  head(status: number): void {
    this.status = status
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.text += bytes.toString('utf8', start, end)
  }

  end(): void {
    this.ends += 1
    this.#resolve()
  }

  fault(error: Error): void {
    this.faults.push(error)
    this.#resolve()
  }
}

interface Served {
  readonly url: URL
  readonly requests: string[]
  /** Sockets that clients opened, in order. */
  readonly sockets: Socket[]
}

/** A server that answers each request, which ends in `!`, by writing to its socket. */
async function serve(t: Test, answer: (socket: Socket, request: string) => void, listen: (onSocket: (socket: Socket) => void) => Server = createServer): Promise<Served> {
  const served: Served = { url: new URL('http://127.0.0.1'), requests: [], sockets: [] }
  const server = listen((socket) => {
    served.sockets.push(socket)
    let request = ''
    socket.on('error', () => undefined)
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      request += text
      if (!request.endsWith('!')) return
      served.requests.push(request)
      const whole = request
      request = ''
      answer(socket, whole)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  served.url.port = String((server.address() as AddressInfo).port)
  t.teardown(async () => {
    for (const socket of served.sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return served
}

const timing = { connectMs: 5_000, keepAliveMs: 60_000 }

function connectTo(t: Test, url: URL, given: Partial<typeof timing> = {}): Connections {
  const connections = new Connections(url, { ...timing, ...given })
  t.teardown(() => connections.close())
  return connections
}

async function ask(connections: Connections, question = 'a!'): Promise<Heard> {
  const heard = new Heard()
  connections.request('POST', '/p', { 'x-a': 'b' }, question, heard)
  await heard.over
  return heard
}

const whole = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nh\u00e9llo\r\n0\r\n\r\n'

t.test('requests go out as HTTP/1.1 has them, one behind the other on one connection', async (t) => {
  const served = await serve(t, (socket) => socket.write(whole))
  const connections = connectTo(t, served.url)
  for (const question of ['a!', 'gr\u00fc\u00dfe!']) {
    const heard = await ask(connections, question)
    t.match(heard, { status: 200, text: 'h\u00e9llo', ends: 1, faults: [] })
  }
  t.same(served.requests, [
    `POST /p HTTP/1.1\r\nhost: ${served.url.host}\r\nx-a: b\r\ncontent-length: 2\r\n\r\na!`,
    `POST /p HTTP/1.1\r\nhost: ${served.url.host}\r\nx-a: b\r\ncontent-length: 8\r\n\r\ngr\u00fc\u00dfe!`,
  ])
  t.equal(served.sockets.length, 1)
})

t.test('an engine is found by a name that has several addresses', async (t) => {
  const served = await serve(t, (socket) => socket.write(whole))
  t.match(await ask(connectTo(t, new URL(`http://localhost:${served.url.port}`))), { text: 'h\u00e9llo', ends: 1 })
})

t.test('requests at once have connections of their own', async (t) => {
  const waiting: Socket[] = []
  const served = await serve(t, (socket) => {
    waiting.push(socket)
    if (waiting.length === 3) for (const each of waiting) each.write(whole)
  })
  const connections = connectTo(t, served.url)
  const heard = await Promise.all([ask(connections), ask(connections), ask(connections)])
  t.ok(heard.every(({ text }) => text === 'h\u00e9llo'))
  t.equal(served.sockets.length, 3)
})

t.test('a connection that breaks anywhere in an answer is a fault, and the next request gets another', async (t) => {
  let length = 0
  let how: 'end' | 'destroy' | 'resetAndDestroy' = 'end'
  let isWhole = false
  const served = await serve(t, (socket) => {
    const bytes = Buffer.from(whole)
    if (isWhole) socket.write(bytes)
    else socket.write(bytes.subarray(0, length), () => socket[how]())
  })
  const connections = connectTo(t, served.url)
  const bytes = Buffer.byteLength(whole)
  for (how of ['end', 'destroy', 'resetAndDestroy'] as const) {
    for (length = 0; length < bytes; length++) {
      const heard = await ask(connections)
      t.ok(heard.ends === 0 && heard.faults.length === 1 && 'h\u00e9llo'.startsWith(heard.text.replace('\ufffd', '')), `${how} after ${length} bytes`)
    }
  }
  t.equal(served.sockets.length, 3 * bytes)
  isWhole = true
  t.match(await ask(connections), { text: 'h\u00e9llo', ends: 1 })
})

t.test('a connection is not used again where the server closes it, says so, or sends more than was asked', async (t) => {
  let answer: (socket: Socket) => void = () => undefined
  const served = await serve(t, (socket) => answer(socket))
  const connections = connectTo(t, served.url)
  const next = async (given: (socket: Socket) => void): Promise<Heard> => {
    answer = given
    return ask(connections)
  }
  t.match(await next((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end')), { text: 'until the end', ends: 1, faults: [] })
  t.equal(served.sockets.length, 1)
  t.match(await next((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na')), { text: 'a', ends: 1 })
  t.equal(served.sockets.length, 2)
  t.match(await next((socket) => socket.write(`${whole}HTTP/1.1 200 OK\r\n`)), { ends: 0, faults: [{ message: 'bytes that nobody asked for' }] })
  t.equal(served.sockets.length, 3)
  t.match(await next((socket) => socket.write(whole)), { ends: 1 })
  t.equal(served.sockets.length, 4)
  const closed = once(served.sockets[3] as Socket, 'close')
  served.sockets[3]?.write('HTTP/1.1 408 Request Timeout\r\n\r\n')
  await closed
  t.match(await next((socket) => socket.write(whole)), { ends: 1 }, 'bytes that came between requests are no answer')
  t.equal(served.sockets.length, 5)
})

t.test('an idle connection is closed after its time, or before the server would', async (t) => {
  let fields = ''
  const served = await serve(t, (socket) => socket.write(`HTTP/1.1 200 OK\r\n${fields}content-length: 0\r\n\r\n`))
  const short = connectTo(t, served.url, { keepAliveMs: 20 })
  await ask(short)
  await once(served.sockets[0] as Socket, 'close')
  fields = 'keep-alive: timeout=1\r\n'
  const long = connectTo(t, served.url)
  await ask(long)
  await once(served.sockets[1] as Socket, 'close')
  t.equal(served.sockets.length, 2)
})

t.test('an abort closes the connection, silently, and never that of a later request', async (t) => {
  let isAnswered = true
  const served = await serve(t, (socket) => {
    if (isAnswered) socket.write(whole)
  })
  const connections = connectTo(t, served.url)
  const first = new Heard()
  const abortFirst = connections.request('POST', '/p', {}, 'a!', first)
  await first.over
  isAnswered = false
  const second = new Heard()
  const abortSecond = connections.request('POST', '/p', {}, 'b!', second)
  abortFirst()
  while (served.requests.length < 2) await new Promise((resolve) => setImmediate(resolve))
  t.equal(served.sockets[0]?.destroyed, false)
  abortSecond()
  await once(served.sockets[0] as Socket, 'close')
  t.match(second, { status: null, ends: 0, faults: [] })
  t.equal(served.sockets.length, 1)
})

t.test('closed, it ends what is under way with a fault', async (t) => {
  const served = await serve(t, () => undefined)
  const connections = connectTo(t, served.url)
  const heard = new Heard()
  connections.request('POST', '/p', {}, 'a!', heard)
  while (served.requests.length < 1) await new Promise((resolve) => setImmediate(resolve))
  connections.close()
  await heard.over
  t.match(heard, { ends: 0, faults: [{ message: 'the connection was closed' }] })
})

t.test('who is not there is a fault, and a header is no way to a second request', async (t) => {
  const nobody = connectTo(t, new URL('http://127.0.0.1:9'))
  t.match(await ask(nobody), { ends: 0, faults: [{ code: 'ECONNREFUSED' }] })
  t.throws(() => nobody.request('POST', '/p', { authorization: 'Bearer a\r\nx: y' }, 'a!', new Heard()), TypeError)
})

t.test('an engine behind TLS is read alike, and one whose certificate nobody vouches for is not', async (t) => {
  const served = await serve(t, (socket) => socket.write(whole), (onSocket) => createTlsServer(selfSigned, onSocket))
  const url = new URL(`https://localhost:${served.url.port}`)
  t.match(await ask(connectTo(t, url)), { ends: 0, faults: [{ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }] })
  t.same(served.requests, [])

  // Whom a process trusts is settled at its start.
  const authority = path.join(t.testdir({ 'authority.pem': selfSigned.cert }), 'authority.pem')
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', asksTwice, String(url), new URL('./connections.js', import.meta.url).href], { env: { NODE_EXTRA_CA_CERTS: authority } })
  t.same(JSON.parse(stdout), ['h\u00e9llo', 'h\u00e9llo'])
  t.equal(served.requests.length, 2)
  t.equal(served.sockets.length, 1)
})

const asksTwice = `
  const { Connections } = await import(process.argv[2])
  const connections = new Connections(new URL(process.argv[1]), { connectMs: 5000, keepAliveMs: 60000 })
  const ask = () => new Promise((resolve, reject) => {
    let text = ''
    const body = (bytes, start, end) => (text += bytes.toString('utf8', start, end))
    connections.request('POST', '/p', {}, 'a!', { head: () => undefined, body, end: () => resolve(text), fault: reject })
  })
  process.stdout.write(JSON.stringify([await ask(), await ask()]))
  connections.close()
`
