import t from 'tap'
import { createLogger } from '../../platform/logging/logger.ts'
import { Feed } from '../feed/feed.ts'
import { Flusher } from '../feed/flusher.ts'
import type { TestContext } from '../../tests/harness/processes.ts'
import { Device } from '../testing/edges.ts'
import type { ConversationActor } from './actor.ts'
import { OwnershipCheck } from './ownership-check.ts'

const turnId = '01890a5d-ac96-7000-8000-000000000001'

function newActor(conversationId: number): ConversationActor {
  const actor = { conversationId, token: { epoch: 1, node: 'edge-1', bootId: 'boot' }, isDropped: false, drop: () => void (actor.isDropped = true) }
  return actor as unknown as ConversationActor
}

function newCheck(t: TestContext) {
  const world = {
    now: 1_000,
    lapsed: false,
    pauses: 0,
    asked: 0,
    actors: [newActor(1), newActor(2)],
    owned: new Set([1, 2]),
    /** Called with each question: resolves with those of whom nothing can be told. */
    answer: (): Promise<readonly number[]> => Promise.resolve([]),
  }
  const check = new OwnershipCheck({
    store: {
      stillOwned: async (tokens) => {
        world.asked += 1
        const unknown = new Set(await world.answer())
        return { owned: new Set([...tokens.keys()].filter((id) => world.owned.has(id) && !unknown.has(id))), unknown }
      },
    },
    channel: { status: 'connected', onStatus: () => () => undefined },
    logger: createLogger({ level: 'silent', name: 'test' }),
    monotonic: () => world.now,
    actors: () => world.actors.filter((actor) => !actor.isDropped),
    lapsed: () => world.lapsed,
    onPause: () => {
      world.pauses += 1
    },
  })
  check.start()
  t.teardown(() => check.stop())
  return { world, check }
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

t.test('after a pause nothing is shown before it is known what is owned', async (t) => {
  const { world, check } = newCheck(t)
  const flusher = new Flusher(() => performance.now(), () => check.holds)
  const feed = new Feed(1, flusher)
  const device = new Device()
  feed.subscribe(device, null, () => t.fail('it has not moved')).start()
  let answered: () => void = () => undefined
  world.answer = () => new Promise((resolve) => (answered = () => resolve([])))
  t.notOk(check.holds)
  world.now += 5_000
  // What came while it stood still is read before any timer fires.
  feed.show(turnId, 1, 'stale?')
  await new Promise((resolve) => setImmediate(resolve))
  t.same(device.events, [])
  t.equal(world.pauses, 1)
  t.equal(world.asked, 1)
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.same(device.events, [], 'not yet')
  answered()
  await device.until(() => device.text.get(turnId) === 'stale?')
  t.notOk(check.holds)
  flusher.close()
})

t.test('what others own by then is dropped, also where Postgres answers at the second try only', async (t) => {
  const { world, check } = newCheck(t)
  world.owned.delete(2)
  let failures = 1
  world.answer = () => Promise.resolve(failures-- > 0 ? [1, 2] : [])
  world.now += 4_000
  t.ok(check.holds)
  await until(() => world.asked === 1)
  t.ok(check.holds, 'it is not known yet')
  await until(() => !check.holds)
  t.same(world.actors.map(({ isDropped }) => isDropped), [false, true])
})

t.test('what others own is dropped also while nothing can be told of the rest', async (t) => {
  const { world, check } = newCheck(t)
  world.owned.clear()
  world.answer = () => Promise.resolve([1])
  t.notOk(await check.check())
  t.same(world.actors.map(({ isDropped }) => isDropped), [false, true])
})

t.test('every 10 s it is asked in any case: who took a conversation may have no bus to say so', async (t) => {
  const { world } = newCheck(t)
  world.owned.delete(1)
  for (let seconds = 0; seconds < 9; seconds += 3) {
    world.now += 3_000
    await new Promise((resolve) => setTimeout(resolve, 550))
  }
  t.equal(world.asked, 0)
  world.now += 1_000
  await until(() => world.asked === 1)
  await until(() => world.actors[0]?.isDropped === true)
})

t.test('a process whose sign of life could not be renewed asks once it can again, and before it lets anybody open what it has', async (t) => {
  const { world, check } = newCheck(t)
  const [first, second] = world.actors as [ConversationActor, ConversationActor]
  await check.confirm(first)
  t.equal(world.asked, 0, 'nobody is asked while it shows signs of life')
  world.lapsed = true
  world.owned.delete(2)
  await check.confirm(first)
  await t.rejects(check.confirm(second), { code: 'moved' })
  t.ok(second.isDropped)
  world.answer = () => Promise.resolve([1])
  await t.rejects(check.confirm(first), { code: 'unavailable' })
  world.answer = () => Promise.resolve([])
  await new Promise((resolve) => setTimeout(resolve, 600))
  const asked = world.asked
  world.lapsed = false
  await until(() => world.asked > asked)
})
