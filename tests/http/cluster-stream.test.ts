import t from 'tap'
import { verifyTranscript } from '../../load-tests/simulated-vllm/reply.ts'
import { clusterFolder, startCluster } from '../e2e/cluster-process.ts'
import { ResumingReader } from '../../server/testing/resuming-reader.ts'

t.setTimeout(240_000)

t.test('a stream whose edge is killed goes on at the next character at another, and a request sent again gets the same reply', async (t) => {
  const cluster = await startCluster(t, ['--data-dir', clusterFolder(t), '--restart-after', '200ms'])
  const url = `http://127.0.0.1:${cluster.ready.port}`
  const message = 'Will it go on? [[tokens=300]]'
  const post = (path: string): Promise<Response> => fetch(url + path, { method: 'POST', headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k' }, body: JSON.stringify({ message, user_id: 'ann' }) })
  const begun = (await (await post('/stream-chat')).json()) as { readonly correlation_id: string; readonly stream_endpoint: string }
  const reader = new ResumingReader(url + begun.stream_endpoint)
  const all = reader.read()
  // One of both has the stream, and one, perhaps another, has the conversation.
  for (const victim of ['edge-1', 'edge-2']) {
    const before = cluster.events().length
    const { length } = reader.text
    await reader.until(() => reader.text.length > length + 100)
    process.kill(cluster.pidOf(victim), 'SIGKILL')
    await cluster.event({ event: 'started', node: victim }, before)
  }
  await all
  t.ok(reader.breaks > 0)
  t.equal(reader.error, null)
  t.match(verifyTranscript(reader.text, message, { tokens: 300 }), { ok: true })
  const again = await post('/chat')
  t.equal(again.headers.get('x-correlation-id'), begun.correlation_id)
  t.match(await again.json(), { response: reader.text })
  t.match(await (await fetch(`${url}/turns/${begun.correlation_id}`)).json(), { status: 'finished', response: reader.text, reason: 'stop' })
})
