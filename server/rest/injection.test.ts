/** What people and models write stays what it is, whatever it looks like on the wire. */
import t from 'tap'
import { newWorld } from '../../actors/testing/edges.ts'
import { startPostgres } from '../../tests/harness/postgres.ts'
import { startLiveEdge } from '../testing/live-edge.ts'

const hostile = 'a\r\n\r\ndata: [DONE]\r\rid: 9:9\n\nevent: error\u2028data: x\u2029\u0085"}\\\r\nSet-Cookie: a=b\r\n\r\nHTTP/1.1 200 OK'

t.test('text that looks like events, headers or answers comes out as text, and breaks no frame', async (t) => {
  const postgres = await startPostgres(t)
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world)
  const bridge = world.bridge()
  const reply = bridge.run().then(async (run) => {
    for (const piece of hostile.match(/[^]{1,5}/g) ?? []) run.say(piece)
    await run.finish()
  })
  const stream = await edge.post('/chat', { message: hostile, user_id: 'ann', stream: true, client_message_id: 'a\r\nb' })
  const body = await stream.text()
  await reply
  t.equal(stream.headers.get('set-cookie'), null)
  const frames = body.split('\n\n').filter((frame) => frame !== '')
  for (const frame of frames) t.match(frame, /^(retry: \d+|(id: [\w:]+\n)?data: [^\r\n\u0085\u2028\u2029]*|:)$/)
  t.equal(frames.at(-1)?.split('\n').at(-1), 'data: [DONE]')
  const tokens = frames.flatMap((frame) => frame.split('\n')).filter((line) => line.startsWith('data: {')).map((line) => (JSON.parse(line.slice(6)) as { token: string }).token)
  t.equal(tokens.join(''), hostile)

  const created = await edge.post('/conversations', { user_id: 'ann', title: hostile })
  const { conversation_id: id } = (await created.json()) as { conversation_id: number }
  const exported = await edge.get(`/conversations/${id}/export`, { 'X-User-Id': 'ann' })
  t.equal(exported.status, 200)
  t.equal(exported.headers.get('set-cookie'), null)
  await exported.text()
  for (const path of ['%0d%0aSet-Cookie:%20a=b', '1%0d%0a', '%00', '..%2f..%2fchat', '%E2%80%A8', '1024;x=1']) {
    const refused = await edge.get(`/conversations/${path}/messages`, { 'X-User-Id': 'ann' })
    t.ok(refused.status === 400 || refused.status === 404, path)
    t.equal(refused.headers.get('set-cookie'), null)
  }
})
