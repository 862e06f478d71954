/**
 * The state machine within a model of everything around it. Whatever the schedule, at the end every accepted turn has exactly
 * one end, and what its client shows is what is stored.
 */
import fc from 'fast-check'
import t from 'tap'
import { reply, World } from '../testing/conversation-world.ts'

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('accept' as const), interrupts: fc.boolean(), repeat: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('begin' as const), bridge: fc.constantFrom('b1', 'b2'), fresh: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('generate' as const), n: fc.nat(3), more: fc.nat(9), fate: fc.constantFrom('arrives' as const, 'arrives' as const, 'lost' as const, 'late' as const, 'doubled' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('late' as const), n: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('finish' as const), n: fc.nat(3), failed: fc.boolean(), again: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const), n: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(500, 3_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('grants are slow' as const, 'commit' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('bridge dies' as const), bridge: fc.constantFrom('b1', 'b2') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('writes fail' as const), as: fc.array(fc.constantFrom('unwritten' as const, 'refused' as const), { minLength: 1, maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('owner dies' as const), when: fc.constantFrom('now' as const, 'before commit' as const, 'after commit' as const) }) },
)

t.test('whatever dies and whatever is lost, every turn ends once and shows what is stored', async (t) => {
  let turns = 0
  let attempts = 0
  let ends = 0
  let mergers = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 120 }), (steps) => {
      const world = new World()
      for (const each of steps) {
        if (each.do === 'accept') world.accept(each.interrupts, each.repeat)
        if (each.do === 'begin') world.begin(each.bridge, each.fresh && world.runs.some((run) => run.bridge === each.bridge))
        if (each.do === 'generate') world.generate(each.n, each.more, each.fate)
        if (each.do === 'late') {
          const [event] = world.late.splice(each.n % Math.max(1, world.late.length), 1)
          if (event) world.feed(event)
        }
        if (each.do === 'finish') world.finish(each.n, each.failed, each.again)
        if (each.do === 'stop') {
          const turn = world.owner.turns[each.n]
          if (turn) {
            world.feed({ type: 'cut', turnId: turn.turnId })
            world.durable((key) => ({ type: 'stop', key, now: world.now, turnId: turn.turnId }))
          }
        }
        if (each.do === 'time') world.now += each.ms
        if (each.do === 'grants are slow') world.slow += 1
        if (each.do === 'commit') world.commit()
        if (each.do === 'bridge dies') world.runs = world.runs.filter((run) => run.bridge !== each.bridge)
        if (each.do === 'writes fail') world.failures.push(...each.as)
        if (each.do === 'owner dies') {
          if (each.when === 'now') world.replaceOwner()
          else world.crash = each.when === 'before commit' ? 1 : 2
        }
        const [first, ...rest] = world.owner.turns
        if (first && rest.some((turn) => turn.state !== 'waiting')) throw new Error('two turns at once')
      }
      world.settle()
      mergers += world.mergers
      for (const [turnId, { end, row }] of world.rows) {
        const shown = world.shown.get(turnId)
        if (end === null || shown?.ended !== 1) throw new Error(`${turnId} has ${shown?.ended ?? 0} ends`)
        if (shown.text !== end.content) throw new Error(`${turnId} shows ${shown.text} and stores ${end.content}`)
        if (end.content !== reply(turnId, end.attempt, end.content.length) && end.content !== '') throw new Error(`${turnId} stores a text with a seam`)
        turns += 1
        attempts = Math.max(attempts, row.attempt)
        ends += end.content === '' ? 0 : 1
      }
    }),
    { numRuns: 2_000 },
  )
  t.ok(turns > 2_000 && ends > 1_000, `${turns} turns were run, ${ends} with text, up to attempt ${attempts}`)
  t.ok(attempts > 1, 'some began anew')
  t.ok(mergers > 100, `${mergers} runs were granted and ended by one commit`)
})
