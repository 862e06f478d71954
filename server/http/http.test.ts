import { mkdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { startTestEdge } from '../testing/test-edge.ts'
import { chooseCoding, codings } from './accept-encoding.ts'
import { Page } from './page.ts'

interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** The raw path goes out as it is, unlike with any URL library. */
async function ask(port: number, method: string, target: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const socket = net.connect(port, '127.0.0.1')
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: close', ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  let received = Buffer.alloc(0)
  const expected = (): number => {
    const end = received.indexOf('\r\n\r\n')
    if (end < 0) return Infinity
    const length = /^content-length: (\d+)$/im.exec(received.subarray(0, end).toString())?.[1]
    return end + 4 + (method === 'HEAD' ? 0 : Number(length ?? 0))
  }
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer])
    if (received.length >= expected()) break
  }
  socket.destroy()
  const end = received.indexOf('\r\n\r\n')
  const [statusLine = '', ...headerLines] = received.subarray(0, end).toString().split('\r\n')
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: new Map(headerLines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])),
    body: received.subarray(end + 4),
  }
}

const script = `console.log(${JSON.stringify('a line of a large script\n'.repeat(60_000))})`

function builtPage(t: Test): string {
  const folder = t.testdir({})
  mkdirSync(path.join(folder, 'assets'))
  writeFileSync(path.join(folder, 'index.html'), '<!doctype html><title>ChatterBot</title>')
  writeFileSync(path.join(folder, 'assets', 'main-Ab12.js'), script)
  writeFileSync(path.join(folder, 'icon.png'), Buffer.from([1, 2, 3]))
  mkdirSync(path.join(folder, 'docs', 'errors'), { recursive: true })
  writeFileSync(path.join(folder, 'docs', 'index.html'), '<!doctype html><title>API</title>')
  writeFileSync(path.join(folder, 'docs', 'errors', 'index.html'), '<!doctype html><title>Errors</title>')
  return folder
}

t.test('health is always well, and readiness says what is missing', async (t) => {
  let missing: string | null = 'loading the model'
  const { edge } = await startTestEdge(t, { readiness: [{ name: 'store', missing: () => null }, { name: 'engine', missing: () => missing }] })
  const health = await ask(edge.port, 'GET', '/health')
  t.equal(health.status, 200)
  t.match(JSON.parse(health.body.toString()), { status: 'ok', node: 'test' })
  const waiting = await ask(edge.port, 'GET', '/ready')
  t.equal(waiting.status, 503)
  t.same(JSON.parse(waiting.body.toString()), { ready: false, missing: [{ part: 'engine', reason: 'loading the model' }] })
  missing = null
  const ready = await ask(edge.port, 'GET', '/ready')
  t.equal(ready.status, 200)
  t.same(JSON.parse(ready.body.toString()), { ready: true, missing: [] })
  t.equal(ready.headers.get('cache-control'), 'no-store')
})

t.test('metrics are exposed for Prometheus', async (t) => {
  const { edge, join } = await startTestEdge(t)
  await join()
  const { status, headers, body } = await ask(edge.port, 'GET', '/metrics')
  t.equal(status, 200)
  t.match(headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  t.match(body.toString(), /^chatterbot_websocket_connections\{.*\} 1$/m)
})

t.test('the page comes with its type, validators, caching and a strict policy', async (t) => {
  const { edge } = await startTestEdge(t, { pageFolder: builtPage(t) })
  for (const target of ['/', '/index.html', '/?from=bookmark']) {
    const { status, headers, body } = await ask(edge.port, 'GET', target)
    t.equal(status, 200)
    t.match(body.toString(), /ChatterBot/)
    t.equal(headers.get('content-type'), 'text/html; charset=utf-8')
    t.equal(headers.get('cache-control'), 'no-cache')
    t.match(headers.get('content-security-policy'), /default-src 'none'; script-src 'self';/)
    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.equal(headers.get('x-frame-options'), 'DENY')
    t.equal(headers.get('referrer-policy'), 'no-referrer')
  }
  const asset = await ask(edge.port, 'GET', '/assets/main-Ab12.js')
  t.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable')
  t.equal(asset.headers.get('content-type'), 'text/javascript; charset=utf-8')
  t.equal(asset.body.toString(), script)
  t.equal((await ask(edge.port, 'GET', '/icon.png')).headers.get('vary'), undefined)
})

t.test('HEAD answers as GET does, without the body', async (t) => {
  const { edge } = await startTestEdge(t, { pageFolder: builtPage(t) })
  for (const target of ['/', '/assets/main-Ab12.js', '/health', '/metrics', '/nothing']) {
    const get = await ask(edge.port, 'GET', target)
    const head = await ask(edge.port, 'HEAD', target)
    t.equal(head.status, get.status)
    t.equal(head.body.length, 0)
    t.equal(head.headers.get('content-type'), get.headers.get('content-type'))
    if (target !== '/metrics') t.equal(head.headers.get('content-length'), get.headers.get('content-length'))
  }
})

t.test('a page in a folder has the address of the folder', async (t) => {
  const { edge } = await startTestEdge(t, { pageFolder: builtPage(t) })
  for (const [target, title] of [['/docs', 'API'], ['/docs/index.html', 'API'], ['/docs/errors', 'Errors']] as const) {
    const { status, headers, body } = await ask(edge.port, 'GET', target)
    t.equal(status, 200)
    t.match(body.toString(), title)
    t.match(headers.get('content-security-policy'), /script-src 'self'/)
  }
})

t.test('a client that has the file gets 304, whichever coding it has', async (t) => {
  const { edge } = await startTestEdge(t, { pageFolder: builtPage(t) })
  const etag = (await ask(edge.port, 'GET', '/')).headers.get('etag') ?? ''
  for (const header of [etag, `W/${etag}`, `"other", ${etag}`, `${etag.slice(0, -1)}-br"`, '*']) {
    const { status, headers, body } = await ask(edge.port, 'GET', '/', { 'If-None-Match': header })
    t.equal(status, 304, header)
    t.equal(body.length, 0)
    t.equal(headers.get('etag'), etag)
    t.equal(headers.get('cache-control'), 'no-cache')
  }
  t.equal((await ask(edge.port, 'GET', '/', { 'If-None-Match': '"other"' })).status, 200)
})

t.test('compressed copies are chosen by what the client accepts', async (t) => {
  const page = await Page.load(builtPage(t))
  await page.compress()
  const get = (encoding: string) => page.answer({ path: '/assets/main-Ab12.js', header: (name) => (name === 'accept-encoding' ? encoding : '') })
  const body = (encoding: string): Buffer => Buffer.from(get(encoding)?.body ?? '')
  t.equal(brotliDecompressSync(body('gzip, deflate, br')).toString(), script)
  t.equal(gunzipSync(body('gzip')).toString(), script)
  t.equal(gunzipSync(body('br;q=0, *')).toString(), script)
  t.equal(body('').toString(), script)
  t.equal(body('identity').toString(), script)
  t.equal(get('br')?.headers['Content-Encoding'], 'br')
  t.equal(get('br')?.headers['Vary'], 'Accept-Encoding')
  t.equal(new Set(['br', 'gzip', ''].map((encoding) => get(encoding)?.headers['ETag'])).size, 3, 'each coding has a validator of its own')
  const icon = page.answer({ path: '/icon.png', header: () => 'br' })
  t.notOk(icon?.headers['Content-Encoding'], 'what is compressed already stays as it is')
  await page.stop()
})

t.test('no Accept-Encoding header brings a coding that was not made', async () => {
  fc.assert(fc.property(fc.string(), fc.subarray([...codings]), (header, available) => {
    const chosen = chooseCoding(header, new Set(available))
    return chosen === null || available.includes(chosen)
  }))
})

t.test('nothing outside of the page can be read, and what is not there is 404', async (t) => {
  const { edge, faults } = await startTestEdge(t, { pageFolder: builtPage(t) })
  const targets = [
    '/../package.json', '/assets/../index.html', '/..%2f..%2fpackage.json', '/%2e%2e/package.json', '/assets/', '/assets', '//etc/passwd', '/index.html%00', '/__proto__', '/constructor', '/%', '/\\..\\x',
  ]
  for (const target of targets) {
    const { status, headers, body } = await ask(edge.port, 'GET', target)
    t.equal(status, 404, target)
    t.equal(headers.get('content-type'), 'application/problem+json')
    t.match(JSON.parse(body.toString()), { type: '/docs/errors#not_found', title: 'There is nothing at this address', status: 404, code: 'not_found', retryable: false, detail: /nothing/ })
  }
  t.same(faults, [])
})

t.test('other methods are refused where there is something to read', async (t) => {
  const { edge } = await startTestEdge(t, { pageFolder: builtPage(t) })
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'BREW']) {
    for (const target of ['/', '/health', '/assets/main-Ab12.js', '/ws']) {
      const { status, headers } = await ask(edge.port, method, target, method === 'POST' ? { 'Content-Length': '0' } : {})
      t.equal(status, 405, `${method} ${target}`)
      t.equal(headers.get('allow'), 'GET, HEAD')
    }
    t.equal((await ask(edge.port, method, '/nothing')).status, 404)
  }
  t.equal((await ask(edge.port, 'GET', '/ws')).status, 426, 'a plain request for the WebSocket address')
})

t.test('without a built page, the address says how to build it', async (t) => {
  const { edge } = await startTestEdge(t)
  const { status, body } = await ask(edge.port, 'GET', '/')
  t.equal(status, 503)
  t.match(body.toString(), /npm run build/)
})

t.test('clients that go away in the middle of an answer do no harm', async (t) => {
  const { edge, faults } = await startTestEdge(t, { pageFolder: builtPage(t) })
  for (const target of ['/assets/main-Ab12.js', '/metrics', '/health']) {
    for (let n = 0; n < 20; n++) {
      const socket = net.connect(edge.port, '127.0.0.1')
      await once(socket, 'connect')
      socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
      if (n % 2 === 0) await once(socket, 'readable')
      socket.resetAndDestroy()
    }
  }
  t.equal((await ask(edge.port, 'GET', '/assets/main-Ab12.js')).body.toString(), script)
  t.same(faults, [])
})

t.test('a client that reads a large file slowly gets all of it', async (t) => {
  const folder = builtPage(t)
  const large = Buffer.alloc(24 * 1024 * 1024, 'large file ')
  writeFileSync(path.join(folder, 'assets', 'large.bin'), large)
  const { edge } = await startTestEdge(t, { pageFolder: folder })
  const socket = net.connect(edge.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write('GET /assets/large.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  socket.pause()
  // Another request is answered while the first one is stuck.
  t.equal((await ask(edge.port, 'GET', '/health')).status, 200)
  const chunks: Buffer[] = []
  let bytes = 0
  let expected = Infinity
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    if (expected === Infinity) {
      const end = Buffer.concat(chunks).indexOf('\r\n\r\n')
      if (end >= 0) expected = end + 4 + large.length
    }
    if (bytes >= expected) break
  }
  const received = Buffer.concat(chunks)
  t.equal(received.length, expected)
  t.ok(received.subarray(received.indexOf('\r\n\r\n') + 4).equals(large))
})
