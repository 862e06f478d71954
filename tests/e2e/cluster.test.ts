import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { untilShown } from './cluster-chat.ts'
import { verifyTranscript } from '../../load-tests/simulated-vllm/reply.ts'
import { clusterFolder, runCluster, startCluster } from './cluster-process.ts'
import { connectClient } from './standalone-process.ts'

t.setTimeout(240_000)

/** Processes that a cluster on this folder has. */
const pidsOf = ({ processes, services }: { readonly processes: readonly { readonly pid: number | null }[]; readonly services: readonly { readonly pid: number | null }[] }) =>
  [...processes, ...services].map(({ pid }) => pid as number)

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** All text of a stream, as OpenAI's clients read it; null where it broke. */
async function openAiStream(url: string, question: string): Promise<string | null> {
  const body = JSON.stringify({ model: 'default', stream: true, messages: [{ role: 'user', content: question }] })
  const text = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }).then((answer) => answer.text(), () => '').catch(() => '')
  const events = text.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice('data: '.length))
  if (events.pop() !== '[DONE]') return null
  return events.map((event) => (JSON.parse(event) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? '').join('')
}

async function untilGone(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 20))
}

t.test('a cluster comes up from nothing, chats, starts again what is killed, and ends well', async (t) => {
  const folder = clusterFolder(t)
  const cluster = await startCluster(t, ['--data-dir', folder, '--restart-after', '200ms'])
  const { processes, services } = cluster.ready
  t.match(processes.map(({ role, node }) => [role, node]), [['edge', 'edge-1'], ['edge', 'edge-2'], ['bridge', 'bridge-1'], ['bridge', 'bridge-2'], ['engine', 'engine-1']])
  t.same(services.map(({ name }) => name), ['nats', 'redis', 'postgres'])
  for (const { metrics } of processes) t.equal((await fetch(metrics as string)).status, 200)
  for (const { metrics, role } of processes) if (role !== 'engine') t.equal((await fetch(new URL('/ready', metrics as string))).status, 200)

  const client = connectClient(t, cluster.webSocketUrl, { userId: 'ann' })
  const conversation = await client.createConversation()
  await conversation.opened

  for (const victims of [['bridge-1', 'bridge-2'], ['edge-1', 'edge-2']]) {
    const before = cluster.events().length
    const question = `Are you there, ${victims.join(' and ')}? [[tokens=150]]`
    const turn = conversation.send(question)
    const stream = openAiStream(`http://127.0.0.1:${cluster.ready.port}`, question)
    await untilShown(conversation, (text) => text.length > 100)
    for (const name of victims) process.kill(cluster.pidOf(name), 'SIGKILL')
    for (const node of victims) {
      t.match(await cluster.event({ event: 'exited', node }, before), { signal: 'SIGKILL', code: null })
      t.match(await cluster.event({ event: 'started', node }, before), { metrics: processes.find((each) => each.node === node)?.metrics })
    }
    const reply = await turn.finished
    t.match(verifyTranscript(reply.text, question, { tokens: 150 }), { ok: true }, `${victims.join(' and ')} killed in mid-reply`)
    const streamed = await stream
    if (victims.includes('edge-1')) t.equal(streamed, null, 'a stream lives with the edge that has its connection')
    else t.match(verifyTranscript(streamed ?? '', question, { tokens: 150 }), { ok: true }, 'nor does a client of OpenAI notice')
  }

  const before = cluster.events().length
  for (const name of ['nats', 'redis', 'postgres', 'engine-1']) process.kill(cluster.pidOf(name), 'SIGKILL')
  for (const node of ['nats', 'redis', 'postgres', 'engine-1']) await cluster.event({ event: 'started', node }, before)
  const question = 'And all the others? [[tokens=30]]'
  t.match(verifyTranscript((await conversation.send(question).finished).text, question, { tokens: 30 }), { ok: true }, 'everything it stands on killed')

  const pids = ['edge-1', 'edge-2', 'bridge-1', 'bridge-2', 'engine-1', 'nats', 'redis', 'postgres'].map((name) => cluster.pidOf(name))
  t.ok(pids.every(isAlive))
  cluster.signal('SIGTERM')
  t.same(await cluster.exited, { code: 0, signal: null })
  t.same(pids.filter(isAlive), [], 'nothing is left')
  t.notMatch(readFileSync(path.join(folder, 'logs', 'edge-1.log'), 'utf8'), /"level":"fatal"|missed its deadline/)

  const again = await startCluster(t, ['--data-dir', folder, '--edges', '1', '--bridges', '1'])
  const reader = connectClient(t, again.webSocketUrl, { userId: 'ann' })
  const reopened = reader.openConversation(conversation.id)
  await reopened.opened
  t.equal(reopened.snapshot().messages.length, 6, 'everything said is there')
  const holder = again.pid
  const second = await runCluster(['--data-dir', folder])
  t.equal(second.code, 78)
  t.match(second.output, new RegExp(`The process ${holder} uses the data folder`))

  const left = pidsOf(again.ready)
  await again.kill()
  await untilGone(left)
  t.pass('a SIGKILL of the launcher leaves nothing')
  const third = await startCluster(t, ['--data-dir', folder, '--edges', '1', '--bridges', '1'])
  t.equal((await third.stop({ deadlineMs: 30_000 })).code, 0, 'nor a lock')
})

t.test('edges and bridges are restarted one after the other while a reply goes on, unharmed', async (t) => {
  const cluster = await startCluster(t, ['--data-dir', clusterFolder(t)])
  const client = connectClient(t, cluster.webSocketUrl, { userId: 'ann' })
  const conversation = await client.createConversation()
  const question = 'Will you go on? [[tokens=400]]'
  const turn = conversation.send(question)
  await untilShown(conversation, (text) => text.length > 50)
  cluster.signal('SIGUSR2')
  for (const node of ['edge-1', 'edge-2', 'bridge-1', 'bridge-2']) {
    t.match(await cluster.event({ event: 'exited', node }), { code: 0 })
    await cluster.event({ event: 'started', node })
  }
  const reply = await turn.finished
  t.match(verifyTranscript(reply.text, question, { tokens: 400 }), { ok: true })
  t.equal(reply.attempt, 1)
  t.same(cluster.events().map(({ event, node }) => `${event} ${node}`), ['edge-1', 'edge-2', 'bridge-1', 'bridge-2'].flatMap((node) => [`exited ${node}`, `started ${node}`]))
})

t.test('bad arguments, a taken port and what cannot be reached are said plainly', async (t) => {
  const bad = await runCluster(['--edges', '0', '--port', 'x', '--engine', 'ftp://a', '--restart-after', 'soon', '--data-dir', '', '--colour', 'red', 'more'])
  t.equal(bad.code, 64)
  for (const name of ['--edges', '--port', '--engine', '--restart-after', '--data-dir', '--colour', 'red', 'more']) t.match(bad.output, `- ${name}: `)
  t.notMatch(bad.output, / at .*\.js/, 'no stack')
  const badConfig = await runCluster([], { LOG_LEVEL: 'loud', CHATTERBOT_COLOUR: 'red' })
  t.equal(badConfig.code, 78)
  t.match(badConfig.output, /- LOG_LEVEL: .*- CHATTERBOT_COLOUR: /s)

  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const blocked = await runCluster(['--port', String(port), '--data-dir', clusterFolder(t)])
  t.equal(blocked.code, 69)
  t.match(blocked.output, `Port ${port} of 127.0.0.1 is taken`)
  taken.close()

  const folder = clusterFolder(t)
  const away = await runCluster(['--data-dir', folder], { DATABASE_URL: 'postgres://ann:secret@127.0.0.1:1/chat' })
  t.equal(away.code, 69)
  t.match(away.output, /edge-\d did not start.*The database cannot be reached.*DATABASE_URL/s)
  t.notMatch(away.output, /secret/)
  t.same(readdirSync(path.join(folder, 'logs')).filter((name) => name.startsWith('postgres')), [], 'one that is named is not started')
})
