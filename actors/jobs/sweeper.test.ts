import t from 'tap'
import { createLogger } from '../../platform/logging/logger.ts'
import type { SweptTurn } from '../../storage/conversation-store.ts'
import { Sweeper, type SweeperOptions } from './sweeper.ts'

const now = 1_000_000

function row(turnId: string, deadlineAt: number, over: Partial<SweptTurn> = {}): SweptTurn {
  return {
    turnId, conversationId: 1, userId: 'ann', clientMessageId: turnId, userMessageId: 10, parentId: null, replyMessageId: 11,
    state: 'queued', attempt: 1, run: 0, bridge: null, barrenGrants: 0, lane: 'standard', model: null, params: {}, acceptedAt: 0, startedAt: null, deadlineAt, liveOwner: null, ...over,
  }
}

/** A sweeper that finds what `rows` holds at the time, by a clock of the test's own. */
function newSweeper(rows: readonly SweptTurn[], over: Partial<SweeperOptions> = {}) {
  const seen = { expired: [] as string[], republished: [] as string[], at: 0 }
  const sweeper = new Sweeper({
    store: { sweep: () => Promise.resolve(rows) },
    node: 'edge-1',
    logger: createLogger({ level: 'silent', name: 'test' }),
    now: () => now,
    monotonic: () => seen.at,
    hears: () => false,
    republish: ({ turnId }) => seen.republished.push(turnId),
    expire: ({ turnId }) => {
      seen.expired.push(turnId)
      return Promise.resolve()
    },
    ...over,
  })
  return { sweeper, seen }
}

t.test('a turn that cannot be ended keeps no other from being ended or published', async (t) => {
  const rows = [row('waits', now - 3), row('fails', now - 2), row('ends', now - 1), row('lies', now + 1)]
  const expired: string[] = []
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const { sweeper, seen } = newSweeper(rows, {
    expire: async ({ turnId }) => {
      expired.push(turnId)
      if (turnId === 'waits') await held
      if (turnId === 'fails') throw new Error('owned by another process')
    },
  })
  await sweeper.sweep(0)
  t.same(expired, ['waits', 'fails', 'ends'])
  t.same(seen.republished, ['lies'])
  await new Promise((resolve) => setImmediate(resolve))
  await sweeper.sweep(0)
  t.same(expired, ['waits', 'fails', 'ends', 'fails', 'ends'], 'one whose end is under way is not ended twice')
  let stopped = false
  const stopping = sweeper.stop().then(() => {
    stopped = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(stopped)
  release()
  await stopping
})

t.test('a turn whose time is up is left to an owner that lives elsewhere', async (t) => {
  const { sweeper, seen } = newSweeper([row('elsewhere', now - 1, { liveOwner: 'edge-2' }), row('own', now - 1, { liveOwner: 'edge-1' }), row('orphan', now - 1)])
  await sweeper.sweep(0)
  t.same(seen.expired, ['own', 'orphan'])
  t.same(seen.republished, [])
})

t.test('the job of a turn that runs is left to an owner that lives elsewhere, and that of a queued one is not', async (t) => {
  const later = now + 600_000
  const of = (turnId: string, state: SweptTurn['state'], liveOwner: string | null): SweptTurn => row(turnId, later, { state, liveOwner, run: state === 'running' ? 1 : 0 })
  const { sweeper, seen } = newSweeper([of('runs elsewhere', 'running', 'edge-2'), of('queued elsewhere', 'queued', 'edge-2'), of('runs here', 'running', 'edge-1'), of('orphan', 'running', null)])
  await sweeper.sweep(0)
  t.same(seen.republished, ['queued elsewhere', 'runs here', 'orphan'])
})

t.test('a turn that is found again and again is published at intervals that grow to a minute', async (t) => {
  const { sweeper, seen } = newSweeper([row('lies', now + 600_000)])
  const published: number[] = []
  for (seen.at = 0; seen.at <= 300_000; seen.at += 5_000) {
    await sweeper.sweep(0)
    if (seen.republished.splice(0).length > 0) published.push(seen.at / 1_000)
  }
  t.same(published, [0, 5, 15, 35, 75, 135, 195, 255])
})

t.test('the intervals begin anew when the bus may have lost its jobs, the owner dies or another run begins', async (t) => {
  const rows = [row('lies', now + 600_000, { liveOwner: 'edge-2' })]
  const { sweeper, seen } = newSweeper(rows)
  const sweepAt = async (at: number): Promise<number> => {
    seen.at = at
    await sweeper.sweep(0)
    return seen.republished.splice(0).length
  }
  for (const at of [0, 5_000, 15_000]) t.equal(await sweepAt(at), 1)
  t.equal(await sweepAt(20_000), 0)
  sweeper.jobsLost()
  await sweeper.sweep(0)
  t.equal(seen.republished.splice(0).length, 1, 'the bus is back, perhaps without it')
  t.equal(await sweepAt(20_001), 0)
  rows[0] = row('lies', now + 600_000)
  t.equal(await sweepAt(20_002), 1, 'the owner is dead')
  rows[0] = row('lies', now + 600_000, { state: 'running', run: 1 })
  t.equal(await sweepAt(20_003), 1, 'a run has begun')
  t.equal(await sweepAt(20_004), 0)
  await sweeper.stop()
})

t.test('a run that is heard of gets no other job, and once it is silent it gets one at once', async (t) => {
  let isHeard = true
  const { sweeper, seen } = newSweeper([row('runs', now + 600_000, { state: 'running', run: 1, liveOwner: 'edge-1' })], { hears: () => isHeard })
  for (seen.at = 0; seen.at <= 100_000; seen.at += 5_000) await sweeper.sweep(0)
  t.same(seen.republished, [])
  isHeard = false
  await sweeper.sweep(0)
  t.same(seen.republished, ['runs'])
})

t.test('more turns than are remembered cost memory no more, and are published at their next sighting', async (t) => {
  const rows = Array.from({ length: 10_000 }, (_, n) => row(`turn-${n}`, now + 600_000))
  const { sweeper, seen } = newSweeper(rows)
  for (let round = 0; round < 3; round += 1) {
    for (const [n] of rows.entries()) rows[n] = row(`turn-${round}-${n}`, now + 600_000)
    await sweeper.sweep(0)
  }
  t.equal(seen.republished.splice(0).length, 30_000)
  for (const [n] of rows.entries()) rows[n] = row(`turn-0-${n}`, now + 600_000)
  await sweeper.sweep(0)
  t.equal(seen.republished.length, 10_000)
})
