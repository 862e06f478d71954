import { once } from 'node:events'
import { request } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { scriptedService } from '../testing/scripted-service.ts'
import { startTestEdge } from '../testing/test-edge.ts'
import { Compression } from './compression.ts'

const body = JSON.stringify({ text: 'much the same '.repeat(1_000) })
const json = { status: 200, headers: { 'Content-Type': 'application/json', ETag: '"x"', Vary: 'Origin' }, body }

t.test('an answer is compressed as its client likes, and says so', async (t) => {
  const compression = new Compression()
  const br = await compression.apply(json, 'gzip, br')
  t.match(br.headers, { 'Content-Encoding': 'br', Vary: 'Origin, Accept-Encoding', ETag: 'W/"x"' })
  t.equal(brotliDecompressSync(br.body as Uint8Array).toString(), body)
  const gzip = await compression.apply(json, 'gzip')
  t.equal(gunzipSync(gzip.body as Uint8Array).toString(), body)
  const plain = await compression.apply(json, 'identity')
  t.equal(plain.body, body)
  t.match(plain.headers, { Vary: 'Origin, Accept-Encoding', ETag: '"x"' })
})

t.test('what is small, compressed already, a picture or not to be changed stays as it is', async (t) => {
  const compression = new Compression()
  for (const answer of [
    { ...json, body: '{}' },
    { ...json, body: null },
    { ...json, headers: { ...json.headers, 'Content-Encoding': 'gzip' } },
    { ...json, headers: { 'Content-Type': 'image/png' } },
    { ...json, headers: { 'Content-Type': 'text/event-stream' } },
    { ...json, headers: { ...json.headers, 'Cache-Control': 'no-store, no-transform' } },
  ]) t.equal(await compression.apply(answer, 'br'), answer)
})

t.test('beyond what is compressed at once, answers go as they are', async (t) => {
  const compression = new Compression()
  const all = await Promise.all(Array.from({ length: 100 }, () => compression.apply(json, 'br')))
  t.equal(all.filter(({ headers }) => 'Content-Encoding' in headers).length, 64)
  t.ok('Content-Encoding' in (await compression.apply(json, 'br')).headers, 'and later ones are compressed again')
})

t.test('answers come compressed over the wire', async (t) => {
  const conversations = Array.from({ length: 50 }, (_, n) => ({ conversation_id: 1024 * (n + 1), title: `Conversation ${n}`, created_at: '2026-01-01T00:00:00.000Z', updated_at: '2026-01-01T00:00:00.000Z' }))
  const service = scriptedService({ list: async () => ({ type: 'conversations', conversations, has_more: false }) })
  const { edge } = await startTestEdge(t, { service })
  const asked = request({ port: edge.port, host: '127.0.0.1', path: '/conversations', headers: { 'X-User-Id': 'u', 'Accept-Encoding': 'br' } }).end()
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  t.equal(response.headers['content-encoding'], 'br')
  t.match(JSON.parse(brotliDecompressSync(Buffer.concat(chunks)).toString()), { conversations: [{ title: 'Conversation 0' }] })
  t.equal(Number(response.headers['content-length']), Buffer.concat(chunks).length)
})
