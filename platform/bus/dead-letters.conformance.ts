/** What all DeadLetters do, as tests: each adapter runs them. */
import type { Test } from 'tap'
import { newTurnId } from '../../protocol/ids.ts'
import { defaultDeadLetterLimits, type DeadLetter, type DeadLetterLimits, type DeadLetters } from './dead-letters.ts'

export interface DeadLettersWorld {
  /** A new client of this world's bus; closed at the test's end. */
  deadLetters(): Promise<DeadLetters>
  /** Takes the bus away from all, and gives it back; each resolves when all clients have noticed. */
  disconnect(): Promise<void>
  reconnect(): Promise<void>
}

const letter = (over: Partial<DeadLetter> = {}): DeadLetter => ({
  turnId: newTurnId(3), conversationId: 1024 + 3, lane: 'standard', reason: 'engine_unavailable', attempt: 2, run: 5, bridge: 'bridge-1', failedAt: Date.now(), ...over,
})
const code = async (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'resolved', (error: { readonly code?: unknown }) => error.code)

/** `open`: a bus of its own, with these limits. */
export async function testDeadLetters(t: Test, open: (t: Test, limits: DeadLetterLimits) => Promise<DeadLettersWorld>): Promise<void> {
  const world = (t: Test, limits: Partial<DeadLetterLimits> = {}): Promise<DeadLettersWorld> => open(t, { ...defaultDeadLetterLimits, ...limits })

  await t.test('letters are kept as they were, found by their turn and listed in the order of their addition, for every client', async (t) => {
    const bus = await world(t)
    const [writer, reader] = [await bus.deadLetters(), await bus.deadLetters()]
    t.strictSame(await reader.list({ limit: 10 }), { letters: [], hasMore: false })
    const letters = [letter(), letter({ lane: 'premium', run: 0, bridge: null, attempt: 1, reason: 'deadline_exceeded' }), letter({ lane: 'batch' })]
    for (const each of letters) await writer.add(each)
    const stored = letters.map((each, index) => ({ ...each, position: index + 1 }))
    t.strictSame(await reader.list({ limit: 10 }), { letters: stored, hasMore: false })
    for (const each of stored) t.strictSame(await reader.get(each.turnId), each)
    t.equal(await reader.get(newTurnId(3)), null)
  })

  await t.test('they are read a page at a time, whatever is discarded meanwhile', async (t) => {
    const bus = await world(t)
    const deadLetters = await bus.deadLetters()
    const letters = Array.from({ length: 7 }, () => letter())
    for (const each of letters) await deadLetters.add(each)
    const first = await deadLetters.list({ limit: 3 })
    t.strictSame([first.letters.map(({ turnId }) => turnId), first.hasMore], [letters.slice(0, 3).map(({ turnId }) => turnId), true])
    t.ok(await deadLetters.discard(letters[2]?.turnId as string))
    t.ok(await deadLetters.discard(letters[3]?.turnId as string))
    const second = await deadLetters.list({ after: first.letters.at(-1)?.position as number, limit: 3 })
    t.strictSame([second.letters.map(({ turnId }) => turnId), second.hasMore], [letters.slice(4).map(({ turnId }) => turnId), false])
    t.strictSame(await deadLetters.list({ after: second.letters.at(-1)?.position as number, limit: 3 }), { letters: [], hasMore: false })
  })

  await t.test('a turn has one letter: a second takes the place of the first, and goes to the end', async (t) => {
    const bus = await world(t)
    const deadLetters = await bus.deadLetters()
    const [first, other] = [letter(), letter()]
    for (const each of [first, other, { ...first, run: 6 }]) await deadLetters.add(each)
    t.match((await deadLetters.list({ limit: 10 })).letters, [{ turnId: other.turnId, position: 2 }, { turnId: first.turnId, run: 6, position: 3 }])
  })

  await t.test('what is discarded is gone, once', async (t) => {
    const bus = await world(t)
    const [one, two] = [await bus.deadLetters(), await bus.deadLetters()]
    const dead = letter()
    await one.add(dead)
    t.ok(await two.discard(dead.turnId))
    t.notOk(await one.discard(dead.turnId))
    t.equal(await one.get(dead.turnId), null)
    t.strictSame(await one.list({ limit: 10 }), { letters: [], hasMore: false })
  })

  await t.test('where there are too many the oldest go', async (t) => {
    const bus = await world(t, { capacity: 3 })
    const deadLetters = await bus.deadLetters()
    const letters = Array.from({ length: 5 }, () => letter())
    for (const each of letters) await deadLetters.add(each)
    t.strictSame((await deadLetters.list({ limit: 10 })).letters.map(({ turnId }) => turnId), letters.slice(2).map(({ turnId }) => turnId))
  })

  await t.test('with time they go', async (t) => {
    const bus = await world(t, { maxAgeMs: 200 })
    const deadLetters = await bus.deadLetters()
    const dead = letter()
    await deadLetters.add(dead)
    while ((await deadLetters.get(dead.turnId)) !== null) await new Promise((resolve) => setTimeout(resolve, 20))
    t.strictSame(await deadLetters.list({ limit: 10 }), { letters: [], hasMore: false })
  })

  await t.test('while the bus is away nothing is taken for said, and afterwards every letter is there', async (t) => {
    const bus = await world(t)
    const deadLetters = await bus.deadLetters()
    const dead = letter()
    await deadLetters.add(dead)
    await bus.disconnect()
    t.equal(await code(deadLetters.add(letter())), 'disconnected')
    t.equal(await code(deadLetters.list({ limit: 1 })), 'disconnected')
    t.equal(await code(deadLetters.get(dead.turnId)), 'disconnected')
    t.equal(await code(deadLetters.discard(dead.turnId)), 'disconnected')
    await bus.reconnect()
    t.match(await deadLetters.get(dead.turnId), dead)
  })

  await t.test('who has closed is served no more', async (t) => {
    const deadLetters = await (await world(t)).deadLetters()
    await deadLetters.close()
    await deadLetters.close()
    t.equal(await code(deadLetters.add(letter())), 'closed')
    t.equal(await code(deadLetters.list({ limit: 1 })), 'closed')
  })

  await t.test('a turn id that is no word is refused', async (t) => {
    const deadLetters = await (await world(t)).deadLetters()
    for (const turnId of ['', 'a b', '*', 'a.b.>']) await t.rejects(deadLetters.add(letter({ turnId })), RangeError)
  })
}
