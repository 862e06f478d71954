import t from 'tap'
import { expectedText } from '../load-tests/simulated-vllm/reply.ts'
import { busVersion } from '../protocol/bus/subjects.ts'
import { startHarness } from './testing/bridge-harness.ts'
import { ScriptedOwner } from './testing/scripted-owner.ts'

const slow = { tokensPerSecond: 300 }

t.test('abort answers all that was sent, and the engine drops the request', async (t) => {
  const { owner, engine } = await startHarness(t, { engines: [slow], ackWaitMs: 60_000 })
  const question = 'stop me [[tokens=2000]]'
  const turn = await owner.send({ question, params: { max_tokens: 2000 } })
  await owner.until(() => turn.text.length > 40)
  t.equal(engine.metrics.running, 1)
  const answer = await owner.abort(turn)
  t.match(answer, { type: 'aborted' })
  const told = answer.type === 'aborted' ? answer.text : ''
  t.ok(told.startsWith(turn.text), 'nothing that the owner has is missing')
  t.ok(expectedText(question, 2000).startsWith(told))
  await engine.until(() => engine.metrics.running === 0)
  t.equal(engine.requests[0]?.state, 'aborted')
  t.match(await owner.abort(turn), { type: 'unknown' }, 'the run is gone')
  t.equal(await owner.jobsLeft(), 1, 'neither acked nor naked')
  t.equal(turn.finishes.length, 0)
})

t.test('abort of a turn that waits for its first token, and of a run that is not this one', async (t) => {
  const { owner, engine } = await startHarness(t, { engines: [{ firstTokenMs: 60_000 }] })
  const turn = await owner.send({ question: 'never' })
  await engine.until(() => engine.metrics.running === 1)
  t.match(await owner.control('bridge-1', { v: busVersion, type: 'abort', turn_id: turn.turnId, run: turn.run + 1 }), { type: 'unknown' })
  t.equal(engine.metrics.running, 1)
  t.match(await owner.abort(turn), { type: 'aborted', text: '' })
  await engine.until(() => engine.metrics.running === 0)
})

t.test('abort between two tries of a broken stream stops the run', async (t) => {
  const { owner, engine } = await startHarness(t, { timing: { engineRetry: { count: 10, baseMs: 60_000, maxMs: 60_000 } } })
  engine.faults.set([{ kind: 'cut', requests: 1, atToken: 10 }])
  const question = 'between [[tokens=30]]'
  const turn = await owner.send({ question })
  await owner.until(() => turn.text === expectedText(question, 10))
  t.match(await owner.abort(turn), { type: 'aborted', text: turn.text })
  t.equal(engine.requests.length, 1)
})

t.test('a new owner attaches: it gets what it lacks, and everything from then on', async (t) => {
  const { owner, engine, bus } = await startHarness(t, { engines: [slow] })
  const question = 'move me [[tokens=450]]'
  const turn = await owner.send({ question })
  await owner.until(() => turn.text.length > 30)
  const channel = bus.channel()
  const heir = new ScriptedOwner({ channel, queue: bus.jobQueue(), edge: 'edge-2' })
  t.teardown(async () => {
    heir.close()
    await channel.close()
  })
  owner.close()
  const heldText = turn.text.slice(0, 10)
  const held = { ...turn, text: '', ids: [] as number[], deltas: 0 }
  heir.turns.set(held.turnId, held)
  const replayed = await heir.attach(held, 'edge-2')
  heir.replay(held, replayed)
  t.ok(held.text.startsWith(heldText) && held.ids.length > 0)
  await heir.ended(held)
  t.equal(held.text, expectedText(question, 450))
  t.equal(held.ids.length, 451)
  t.ok(held.deltas > 1, 'deltas came to the new edge')
  t.same(heir.violations, [])
  t.equal(engine.requests.length, 1, 'the same generation')
})

t.test('lost deltas are replayed on request, and a finish that comes after a gap is sent again from there', async (t) => {
  let losing = false
  let lost = 0
  const lose = (): boolean => {
    if (losing) lost += 1
    return losing
  }
  const { owner } = await startHarness(t, { engines: [slow], script: { lose } })
  const question = 'lossy [[tokens=300]]'
  const turn = await owner.send({ question })
  await owner.until(() => turn.text.length > 20)
  losing = true
  const before = turn.text.length
  await owner.until(() => lost > 5)
  losing = false
  owner.replay(turn, await owner.attach(turn))
  t.ok(turn.text.length > before)
  const after = turn.text.length
  await owner.until(() => turn.text.length > after)
  losing = true
  await owner.ended(turn)
  t.equal(turn.text, expectedText(question, 300))
  t.ok(turn.finishes.length >= 2)
  const last = turn.finishes.at(-1)
  t.ok((last?.text.length ?? 0) > 0, 'the last finish brings what was lost')
})

t.test('what the run never had is not replayed', async (t) => {
  const { owner, engine } = await startHarness(t, { engines: [slow] })
  const turn = await owner.send({ question: 'short [[tokens=2000]]', params: { max_tokens: 2000 } })
  await owner.until(() => turn.text.length > 10)
  const attach = { v: busVersion, type: 'attach', turn_id: turn.turnId, run: turn.run, edge: 'edge-1' } as const
  t.match(await owner.control('bridge-1', { ...attach, offset: 1_000_000, id_offset: 0 }), { type: 'unknown' })
  t.match(await owner.control('bridge-1', { ...attach, offset: 0, id_offset: 1_000_000 }), { type: 'unknown' })
  t.match(await owner.control('bridge-1', { ...attach, run: 99, offset: 0, id_offset: 0 }), { type: 'unknown' })
  await owner.abort(turn)
  await engine.until(() => engine.metrics.running === 0)
})

t.test('a finish is repeated until it is confirmed, while the text is kept and the turn is heard of', async (t) => {
  let answers: ('none' | 'busy' | 'confirm')[] = ['none', 'busy', 'busy', 'confirm']
  const { owner, bridge } = await startHarness(t, {
    timing: { busRequestMs: 200, beatMs: 100 },
    ackWaitMs: 300,
    script: {
      finish: () => {
        const [answer] = answers
        answers = answers.slice(1)
        if (answer === 'none') return null
        return answer === 'busy' ? { v: busVersion, type: 'busy', retry_ms: 150 } : undefined
      },
    },
  })
  const question = 'unconfirmed [[tokens=20]]'
  const turn = await owner.send({ question })
  await owner.ended(turn)
  t.equal(turn.finishes.length, 4)
  t.ok(turn.beats >= 2, 'beats while it waits')
  t.equal(turn.run, 1, 'the job was beaten beyond its ack wait, and not delivered again')
  t.equal(turn.text, expectedText(question, 20))
  await bridge.drain()
  t.equal(await owner.jobsLeft(), 0)
})

t.test('a run whose finish is answered with abort is dropped, and its job left alone', async (t) => {
  const { owner, bridge } = await startHarness(t, { ackWaitMs: 60_000, script: { finish: () => ({ v: busVersion, type: 'abort' }) } })
  const turn = await owner.send({ question: 'dropped [[tokens=5]]' })
  await owner.until(() => turn.finishes.length === 1)
  await bridge.drain()
  t.equal(turn.finishes.length, 1)
  t.equal(await owner.jobsLeft(), 1)
  t.match(await owner.abort(turn), { type: 'unknown' })
})

t.test('an abort that crosses with the finish: what was committed is acked all the same', async (t) => {
  let abort: Promise<unknown> | undefined
  const { owner, bridge } = await startHarness(t, {
    script: {
      finish: (turn) => {
        abort = owner.abort(turn)
        return undefined
      },
    },
  })
  const turn = await owner.send({ question: 'crossing [[tokens=5]]' })
  await owner.ended(turn)
  t.ok(abort)
  await abort
  await bridge.drain()
  t.equal(await owner.jobsLeft(), 0)
})

t.test('busy and unanswered begins come back, gone ones are acked', async (t) => {
  let refusals = 2
  const { owner, engine, bridge } = await startHarness(t, {
    timing: { busRequestMs: 50 },
    script: {
      begin: () => {
        refusals -= 1
        if (refusals === 1) return { v: busVersion, type: 'busy', retry_ms: 5 }
        return refusals === 0 ? null : undefined
      },
    },
  })
  const turn = await owner.send({ question: 'later [[tokens=5]]' })
  await owner.ended(turn)
  t.equal(turn.run, 1)
  const gone = owner.accept({ question: 'gone' })
  owner.turns.delete(gone.turnId)
  await owner.publish(gone)
  await engine.until(() => engine.metrics.running === 0)
  for (let left = 1; left > 0; ) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    left = await owner.jobsLeft()
  }
  t.equal(engine.requests.length, 1)
  await bridge.drain()
})

t.test('a turn of an earlier run goes on from its text and ids, under its prompt', async (t) => {
  const { owner, engine } = await startHarness(t)
  engine.faults.set([{ kind: 'stall', requests: 1, atToken: 30 }])
  const question = 'resumed [[tokens=60]] [[multibyte]]'
  const first = await owner.send({ question })
  await owner.until(() => first.text === expectedText(question, 30, { multibyte: true }))
  const shown = { text: first.text, ids: [...first.ids] }
  await owner.abort(first)
  await engine.until(() => engine.metrics.running === 0)
  const turn = await owner.send({ question, resume: shown })
  await owner.ended(turn)
  t.equal(turn.text, expectedText(question, 60, { multibyte: true }))
  t.equal(turn.attempt, 1)
  t.equal(turn.run, 2)
  const [begun, resumed] = engine.requests
  t.equal(resumed?.path, '/v1/completions')
  t.equal(resumed?.resumedAt, shown.ids.length)
  t.equal(resumed?.resumedIntact, true)
  t.equal(resumed?.promptHash, begun?.promptHash)
  t.match(turn.ended?.usage, { prompt_tokens: begun?.promptTokens, completion_tokens: 61 })
})

t.test('a turn that had all it may have ends without the engine', async (t) => {
  const { owner, engine } = await startHarness(t)
  const done = await owner.send({ question: 'ended [[tokens=10]]' })
  await owner.ended(done)
  t.equal(engine.requests.length, 1)
  const stopped = await owner.send({ question: 'ended [[tokens=10]]', resume: { text: done.text, ids: done.ids } })
  await owner.ended(stopped)
  t.match(stopped.ended, { outcome: { type: 'finished', reason: 'stop' }, text: '' })
  t.equal(stopped.text, done.text)
  const spent = await owner.send({ question: 'ended [[tokens=10]]', params: { max_tokens: 10 }, resume: { text: done.text, ids: done.ids.slice(0, 10) } })
  await owner.ended(spent)
  t.match(spent.ended, { outcome: { type: 'finished', reason: 'length' } })
  t.equal(engine.requests.length, 1, 'neither asked the engine')
})

t.test('text that cannot be gone on from begins anew under a new attempt', async (t) => {
  const { owner } = await startHarness(t)
  for (const resume of [{ text: 'of an engine without ids', ids: [] }, { text: 'of another model', ids: [1, 2, 3], model: 'other' }]) {
    const question = `anew [[tokens=12]] ${resume.text}`
    const turn = await owner.send({ question, resume })
    await owner.ended(turn)
    t.equal(turn.attempt, 2)
    t.same(turn.dropped, [resume.text])
    t.equal(turn.text, expectedText(question, 12))
  }
})

t.test('a bridge that stops hands its turns over, and another goes on at the very next character', async (t) => {
  const { owner, engine, bridge, another } = await startHarness(t, { engines: [slow] })
  const question = 'handed over [[tokens=300]]'
  const turn = await owner.send({ question })
  await owner.until(() => turn.text.length > 40)
  const second = another('bridge-2')
  await Promise.all([bridge.stop(), second.start()])
  t.equal(engine.requests[0]?.state, 'aborted')
  t.match(await owner.abort(turn, 'bridge-1').catch((error: Error & { code?: string }) => error.code), 'no_responders')
  await owner.ended(turn)
  t.equal(turn.text, expectedText(question, 300))
  t.same([turn.run, turn.attempt, turn.ended?.bridge], [2, 1, 'bridge-2'])
  t.ok((engine.requests[1]?.resumedAt ?? 0) > 0)
  t.equal(engine.requests[1]?.resumedIntact, true)
})

t.test('a bridge that drains ends what it has and takes nothing new', async (t) => {
  const { owner, bridge } = await startHarness(t, { engines: [slow] })
  const turn = await owner.send({ question: 'last [[tokens=60]]' })
  await owner.until(() => turn.text.length > 0)
  const drained = bridge.drain()
  t.equal(bridge.drain(), drained, 'one promise')
  const late = await owner.send({ question: 'late' })
  await drained
  t.ok(turn.ended)
  t.equal(late.run, 0)
  t.equal(await owner.jobsLeft(), 1)
})

t.test('the bus goes away in mid-reply: the reply goes on, and nothing is lost when it is back', async (t) => {
  const { owner, bus, engine, bridge } = await startHarness(t, { engines: [slow], script: { lose: () => false } })
  const question = 'offline [[tokens=200]]'
  const turn = await owner.send({ question })
  await owner.until(() => turn.text.length > 20)
  bus.disconnect()
  await engine.until(() => engine.metrics.running === 0)
  t.equal(engine.requests[0]?.state, 'stop')
  bus.reconnect()
  await owner.ended(turn)
  t.equal(turn.text, expectedText(question, 200))
  t.equal(engine.requests.length, 1)
  await bridge.drain()
  t.equal(await owner.jobsLeft(), 0)
})

t.test('start, drain and stop share their promises, and stop may come before start', async (t) => {
  const { bridge, another } = await startHarness(t)
  t.equal(bridge.start(), bridge.start())
  const stopped = bridge.stop()
  t.equal(bridge.stop(), stopped)
  await stopped
  const never = another('bridge-2')
  await never.stop()
  await never.start()
  t.equal(never.ready, false)
})
