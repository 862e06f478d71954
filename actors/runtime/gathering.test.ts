/** What the actor gathers, against the state machine that takes each delta by itself. */
import fc from 'fast-check'
import t from 'tap'
import type { DeltaItem } from '../../protocol/bus/deltas.ts'
import type { ConversationRow, ConversationStore } from '../../storage/conversation-store.ts'
import { storedContexts } from '../context/context-cache.ts'
import type { ConversationEvent, Effect } from '../conversation/events.ts'
import { reduce } from '../conversation/reduce.ts'
import type { ConversationState } from '../conversation/state.ts'
import { joinIds } from '../conversation/token-ids.ts'
import { ConversationActor, type ActorHost } from './actor.ts'

const turnId = '01890a5d-ac96-7004-8000-000000000001'
const otherTurn = '01890a5d-ac96-7004-8000-000000000002'
const conversation = { conversationId: 1, userId: 'ann', title: 'T', model: null, system: null, lastMessageId: 11, createdAt: 0, updatedAt: 0 } as ConversationRow
const token = { epoch: 1, node: 'edge-1', bootId: 'boot' } as unknown as ConstructorParameters<typeof ConversationActor>[1]

/** An actor whose only turn a bridge has just been granted, and what it tells bridges from then on. */
async function runningActor(): Promise<{ readonly actor: ConversationActor; readonly told: Effect['type'][] }> {
  const told: Effect['type'][] = []
  const host: ActorHost = {
    contexts: storedContexts(null as never),
    store: { write: () => Promise.resolve({ status: 'committed' }) } as unknown as ConversationStore,
    now: () => 0,
    feeds: { markDirty: () => undefined, held: false },
    publish: () => undefined,
    // Never answers, so that nothing comes of a replay but what the test sends.
    control: () => {
      told.push('attach')
      return new Promise(() => undefined)
    },
    abort: () => told.push('abort'),
    deadLetter: () => undefined,
    activated: () => undefined,
    made: () => undefined,
    turnAdded: () => undefined,
    turnRemoved: () => undefined,
    turnEnded: () => undefined,
    dropped: () => undefined,
    fault: () => undefined,
    pause: () => Promise.resolve(),
  }
  const queued = { turnId, conversationId: 1, userId: 'ann', clientMessageId: 'c1', userMessageId: 10, parentId: null, replyMessageId: 11, state: 'queued', attempt: 1, run: 0, bridge: null, barrenGrants: 0, lane: 'standard', model: null, params: {}, acceptedAt: 0, startedAt: null, deadlineAt: 1e9 } as const
  const actor = new ConversationActor(host, token, conversation, [queued])
  await actor.perform((key) => ({ type: 'begin', key, now: 0, turnId, bridge: 'b1', defaultModel: 'm', fresh: false }))
  return { actor, told }
}

/** The one turn of a state, in a form in which two that say the same are equal. */
function plain(state: ConversationState): unknown {
  return { ...state, turns: state.turns.map((turn) => ({ ...turn, ids: [...joinIds(turn.ids)] })) }
}

/** A delta relative to where the turn stands: `back` units of text and ids are said again, or (negative) left out. */
const piece = fc.record({
  do: fc.constant('delta' as const),
  back: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -2, max: 3 }) }),
  text: fc.oneof(fc.string({ maxLength: 5, unit: 'binary' }), fc.constantFrom('', '\udc00', '\ud83d', '😀')),
  tokens: fc.nat({ max: 3 }),
  from: fc.oneof({ weight: 12, arbitrary: fc.constant('run' as const) }, { weight: 1, arbitrary: fc.constantFrom('other turn' as const, 'other run' as const, 'other bridge' as const) }),
})
const step = fc.oneof({ weight: 20, arbitrary: piece }, { weight: 2, arbitrary: fc.record({ do: fc.constant('look' as const) }) }, { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const) }) }, { weight: 1, arbitrary: fc.record({ do: fc.constant('released' as const) }) })

t.test('an actor that gathers text shows, holds and tells bridges what it would if it took each delta by itself', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { actor, told } = await runningActor()
      let expected = actor.state
      let shown = ''
      const asked: Effect['type'][] = []
      const take = (event: ConversationEvent): void => {
        const { state, effects } = reduce(expected, event)
        expected = state
        for (const effect of effects) {
          if (effect.type === 'show') shown += effect.text
          else asked.push(effect.type)
        }
      }
      for (const [now, each] of steps.entries()) {
        const turn = expected.turns[0]
        if (turn === undefined) throw new Error('the turn is gone')
        if (each.do === 'look') {
          if (actor.state.turns[0]?.text !== turn.text) throw new Error('looked at, the text is another')
        } else if (each.do === 'cut') {
          actor.now({ type: 'cut', turnId })
          take({ type: 'cut', turnId })
        } else if (each.do === 'released') {
          actor.now({ type: 'released', turnId, run: turn.run })
          take({ type: 'released', turnId, run: turn.run })
        } else {
          const offset = Math.max(0, turn.text.length - each.back)
          const idOffset = Math.max(0, turn.ids.count - each.back)
          const ids = new Uint8Array(4 * each.tokens).fill(now)
          const bridge = each.from === 'other bridge' ? 'b2' : 'b1'
          const of = each.from === 'other turn' ? otherTurn : turnId
          const run = each.from === 'other run' ? turn.run + 1 : turn.run
          const item: DeltaItem = [of, run, offset, each.text, idOffset, ids]
          actor.hear(bridge, item, now)
          take({ type: 'delta', now, bridge, turnId: of, run, offset, text: each.text, idOffset, ids })
        }
      }
      const { state } = actor
      if (JSON.stringify(plain(state)) !== JSON.stringify(plain(expected))) throw new Error(`${JSON.stringify(plain(state))} is not ${JSON.stringify(plain(expected))}`)
      if ((actor.feed.shown?.text ?? '') !== shown) throw new Error('what is shown is another text')
      if (JSON.stringify(told) !== JSON.stringify(asked)) throw new Error(`bridges were told ${told.join()} and not ${asked.join()}`)
    }),
    { numRuns: 1_000 },
  )
})
