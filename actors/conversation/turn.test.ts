import v8 from 'node:v8'
import vm from 'node:vm'
import t from 'tap'
import { reduce } from './reduce.ts'
import type { ConversationState } from './state.ts'

v8.setFlagsFromString('--allow-natives-syntax')
const haveSameMap = vm.runInThisContext('(one, other) => %HaveSameMap(one, other)') as (one: object, other: object) => boolean

const resting: ConversationState = { conversationId: 1024, userId: 'ann', title: null, model: null, system: null, updatedAt: 0, leaf: null, turns: [], step: null }

function turnOf(n: number): object | undefined {
  const command = { type: 'accept', key: n, now: n, turnId: `turn ${n}`, clientMessageId: `message ${n}`, commandHash: new Uint8Array(0), interrupts: false, user: { type: 'new', content: 'hello', parentId: undefined }, lane: 'standard', traceparent: null, model: null, params: {}, deadlineAt: n + 1 } as const
  const accepting = reduce(resting, command).state
  return reduce(accepting, { type: 'written', now: n, result: { status: 'committed', accepted: { userMessageId: 2 * n, replyMessageId: 2 * n + 1 } } }).state.turns[0]
}

t.test('to V8 all turns are of one class: one of its own for each would be 10 KB and slow', async (t) => {
  const turns = Array.from({ length: 100 }, (_, n) => turnOf(n))
  const [first] = turns
  t.ok(turns.every((turn) => first !== undefined && turn !== undefined && haveSameMap(first, turn)))
})
