import t, { type Test } from 'tap'
import { decodeRetryRequest, encodeBus } from '../../protocol/bus/codec.ts'
import type { RetryReply, RetryRequest } from '../../protocol/bus/retry.ts'
import { busVersion, edgesQueueGroup, retrySubject } from '../../protocol/bus/subjects.ts'
import { newTurnId } from '../../protocol/ids.ts'
import { MemoryBus } from '../../platform/bus/memory/memory-bus.ts'
import { readCommand } from './command-line.ts'
import { runDeadLetters } from './dead-letters-command.ts'

const now = Date.UTC(2026, 4, 1, 12)

/** A bus with `count` letters, each an hour older than the next, and the command on it. */
async function newWorld(t: Test, count: number) {
  const bus = new MemoryBus()
  const [deadLetters, channel] = [bus.deadLetters(), bus.channel()]
  t.teardown(() => channel.close())
  const turns = Array.from({ length: count }, () => newTurnId(3))
  for (const [n, turnId] of turns.entries()) {
    await deadLetters.add({ turnId, conversationId: 1027, lane: 'standard', reason: 'deadline_exceeded', attempt: 1, run: n, bridge: n === 0 ? null : 'bridge-1', failedAt: now - (count - n) * 3_600_000 })
  }
  const run = async (...args: string[]) => {
    let [out, err] = ['', '']
    const command = readCommand(args)
    if (command.type === 'help') throw new Error('help')
    const exit = await runDeadLetters(command, { deadLetters, channel, now: () => now, print: (text) => (out += text), complain: (text) => (err += text) })
    return { exit, out, err }
  }
  return { deadLetters, channel, turns, run }
}

t.test('letters are listed as a table, a page at a time, or as JSON', async (t) => {
  const { turns, run } = await newWorld(t, 3)
  const first = await run('list', '--limit', '2')
  t.equal(first.exit, 0)
  const [head, one, two, more] = first.out.split('\n')
  t.match(head, /^POSITION +TURN +CONVERSATION +LANE +REASON +RUNS +LAST BRIDGE +AGE$/)
  t.match(one?.split(/ {2,}/), ['1', turns[0], '1027', 'standard', 'deadline_exceeded', '0', '-', '3 h'])
  t.match(two?.split(/ {2,}/), ['2', turns[1], '1027', 'standard', 'deadline_exceeded', '1', 'bridge-1', '2 h'])
  t.equal(more, 'There are more: list --after 2')
  t.match((await run('list', '--after', '2')).out.split('\n')[1], turns[2])
  t.match(await run('list', '--after', '3'), { exit: 0, out: 'There are no dead letters after position 3.\n' })
  const json = (await run('list', '--json')).out.trim().split('\n').map((line) => JSON.parse(line) as unknown)
  t.match(json, turns.map((turn_id, n) => ({ position: n + 1, turn_id, conversation_id: 1027, reason: 'deadline_exceeded', run: n })))
})

t.test('where there are none, that is said', async (t) => {
  const { run } = await newWorld(t, 0)
  t.same(await run('list'), { exit: 0, out: 'There are no dead letters.\n', err: '' })
  t.same(await run('list', '--json'), { exit: 0, out: '', err: '' })
  for (const name of ['show', 'retry', 'discard']) t.match(await run(name, newTurnId(3)), { exit: 1, out: '', err: /has no dead letter/ })
})

t.test('one letter is shown with its age, and discarded', async (t) => {
  const { turns, run } = await newWorld(t, 1)
  const shown = await run('show', turns[0] as string)
  t.match(shown.out, /^turn_id +\S+$/m)
  t.match(shown.out, /^age +1 h$/m)
  t.match(JSON.parse((await run('show', turns[0] as string, '--json')).out), { turn_id: turns[0], failed_at: '2026-05-01T11:00:00.000Z', bridge: null })
  t.match(await run('discard', turns[0] as string), { exit: 0, out: /^Discarded/ })
  t.match(await run('show', turns[0] as string), { exit: 1 })
})

t.test('a retried turn loses its letter once an edge has accepted it, and not where it refuses or nobody is there', async (t) => {
  const { deadLetters, channel, turns, run } = await newWorld(t, 2)
  const [one, two] = turns as [string, string]
  await t.rejects(run('retry', one), { code: 'no_responders' })
  const asked: RetryRequest[] = []
  const next = newTurnId(3)
  let reply: RetryReply = { v: busVersion, type: 'refused', code: 'busy', message: 'Too many turns of this conversation wait already.' }
  channel.subscribe(
    retrySubject,
    (message) => {
      asked.push(decodeRetryRequest(message.payload))
      message.respond(encodeBus(reply))
    },
    { queue: edgesQueueGroup },
  )
  t.match(await run('retry', one), { exit: 1, out: '', err: /was not retried, and its dead letter is kept: Too many turns .* \(busy\)/ })
  t.ok(await deadLetters.get(one))
  reply = { v: busVersion, type: 'accepted', turn_id: next, duplicate: false }
  t.match(await run('retry', one), { exit: 0, out: `Turn ${one} is retried as turn ${next}; its dead letter is discarded.\n` })
  t.equal(await deadLetters.get(one), null)
  reply = { ...reply, duplicate: true }
  t.same(JSON.parse((await run('retry', two, '--json')).out), { retried: two, turn_id: next, duplicate: true })
  t.match(asked, [{ turn_id: one, conversation_id: 1027 }, { turn_id: one }, { turn_id: two }])
})

t.test('what cannot be understood is said in words', (t) => {
  const refused: readonly [readonly string[], RegExp][] = [
    [[], /No command/],
    [['lisst'], /no command "lisst"/],
    [['list', 'x'], /takes no turn id/],
    [['list', '--limit', '0'], /--limit takes a whole number from 1 to 1000/],
    [['list', '--after', '-1'], /--after/],
    [['list', '--limit', '1e3'], /--limit/],
    [['show'], /takes one turn id/],
    [['show', 'a', 'b'], /takes one turn id/],
    [['retry', '*'], /"\*" is no turn id/],
    [['discard', newTurnId(1), '--limit', '3'], /for list/],
    [['list', '--all'], /--all/],
  ]
  for (const [args, words] of refused) t.throws(() => readCommand(args), { name: 'UsageFault', message: words }, args.join(' '))
  t.same(readCommand(['show', '--help']), { type: 'help' })
  t.end()
})
