import t, { type Test } from 'tap'
import { encodeBus } from '../../protocol/bus/codec.ts'
import type { ServedModel } from '../../protocol/bus/models.ts'
import { bridgesQueueGroup, busVersion, modelsSubject } from '../../protocol/bus/subjects.ts'
import { MemoryBus } from '../../platform/bus/memory/memory-bus.ts'
import { BusModelDirectory } from './model-directory.ts'

const unavailable = { name: 'ChatError', code: 'engine_unavailable' }

function setUp(t: Test) {
  const bus = new MemoryBus()
  const [channel, bridge] = [bus.channel(), bus.channel()]
  t.teardown(() => Promise.all([channel.close(), bridge.close()]))
  const state = { now: 1_000, asked: 0, models: [] as readonly ServedModel[] }
  const answer = (payload: () => Uint8Array) =>
    bridge.subscribe(modelsSubject, (message) => {
      state.asked += 1
      message.respond(payload())
    }, { queue: bridgesQueueGroup })
  const told = () => encodeBus({ v: busVersion, bridge: 'bridge-1', models: [...state.models] })
  return { state, answer, told, directory: new BusModelDirectory({ channel, node: 'edge-1', monotonic: () => state.now }) }
}

const small: ServedModel = { id: 'small', max_tokens: 2048 }
const large: ServedModel = { id: 'large', max_tokens: null }

t.test('bridges are asked once for all who want to know, and again after some seconds', async (t) => {
  const { state, answer, told, directory } = setUp(t)
  state.models = [small, large]
  answer(told)
  t.same(await Promise.all([directory.models(), directory.models()]), [[small, large], [small, large]])
  t.equal(state.asked, 1)
  state.models = [large]
  t.same(await directory.models(), [small, large])
  state.now += 5_001
  t.same(await directory.models(), [large])
  t.equal(state.asked, 2)
})

t.test('what was told is believed for a while when no bridge answers, answers of none, or answers garbage', async (t) => {
  const { state, answer, told, directory } = setUp(t)
  await t.rejects(directory.models(), unavailable, 'there is no bridge')
  let subscription = answer(told)
  await t.rejects(directory.models(), unavailable, 'its engines have told nothing yet')
  state.models = [small]
  t.same(await directory.models(), [small])
  subscription.unsubscribe()
  state.now += 10_000
  t.same(await directory.models(), [small])
  subscription = answer(() => Uint8Array.of(1, 2, 3))
  t.same(await directory.models(), [small])
  state.now += 300_000
  await t.rejects(directory.models(), unavailable)
})
