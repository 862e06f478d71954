import t from 'tap'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { systemClock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { EngineFailure } from '../vllm/failure.ts'
import { CircuitBreaker } from '../../platform/circuit-breaker.ts'
import { ReplicaSet } from './replica-set.ts'

const silent: Logger = { trace: () => undefined, debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, fatal: () => undefined, child: () => silent }
const timing = { firstTokenMs: 1000, interTokenMs: 1000, engineCallMs: 1000, probeIntervalMs: 10, breaker: { failures: 3, openMs: 1000, maxOpenMs: 4000 } }

t.test('the breaker opens after failures in a row, tries one request, and waits longer each time in vain', async (t) => {
  let now = 0
  const breaker = new CircuitBreaker({ failures: 3, openMs: 1000, maxOpenMs: 3000 }, () => now)
  const fail = (): void => {
    breaker.failed(breaker.began())
  }
  fail()
  fail()
  breaker.began()
  breaker.succeeded()
  fail()
  fail()
  t.same([breaker.state, breaker.allows], ['closed', true], 'a success between begins the count anew')
  fail()
  t.same([breaker.state, breaker.allows], ['open', false])
  now = 500
  breaker.failed(false)
  now = 1000
  t.same([breaker.state, breaker.allows], ['half_open', true], 'late failures of earlier requests do not prolong it')
  t.equal(breaker.began(), true)
  t.equal(breaker.allows, false, 'one at a time')
  breaker.failed(false)
  t.equal(breaker.state, 'half_open', 'nor do they end the trial')
  breaker.left(true)
  t.equal(breaker.allows, true, 'a trial that was broken off is no trial')
  fail()
  now = 2900
  t.equal(breaker.allows, false, 'twice as long')
  now = 3000
  fail()
  now = 5999
  t.equal(breaker.allows, false)
  now = 6000
  t.equal(breaker.allows, true, 'no longer than the longest')
  breaker.began()
  breaker.succeeded()
  t.equal(breaker.state, 'closed')
  fail()
  fail()
  fail()
  now = 7000
  t.equal(breaker.state, 'half_open', 'back to the shortest')
})

t.test('the least busy replica is chosen, equals in turn, a failed one last', async (t) => {
  const engines = await Promise.all([startSimulatedVllm({ model: 'a', maxModelLen: 100 }), startSimulatedVllm({ model: 'a', maxModelLen: 200 }), startSimulatedVllm({ model: 'b' })])
  const set = new ReplicaSet({ engines: engines.map(({ url }) => ({ url })), timing, clock: systemClock, logger: silent })
  t.equal(set.ready, false)
  t.equal(set.defaultModel, null)
  t.equal(set.choose('a'), null)
  t.equal(set.knows('c'), true, 'nobody has told yet')
  await set.start()
  t.equal(set.ready, true)
  t.equal(set.defaultModel, 'a')
  t.same([set.knows('a'), set.knows('b'), set.knows('c')], [true, true, false])
  const chosen = Array.from({ length: 6 }, () => set.choose('a'))
  t.equal(new Set(chosen.map((choice) => choice?.replica.name)).size, 2, 'equals take turns')
  const first = chosen[0]?.replica
  t.equal(chosen[0]?.served.maxModelLength, first?.models[0]?.maxModelLength)
  const release = first?.acquire()
  for (let round = 0; round < 4; round++) t.not(set.choose('a')?.replica, first)
  t.equal(set.choose('a', set.choose('a')?.replica)?.replica, first, 'busier, but not the one to avoid')
  release?.(null)
  t.equal(set.choose('b', set.choose('b')?.replica)?.served.id, 'b', 'the one to avoid, where there is no other')
  for (let failure = 0; failure < 3; failure++) first?.acquire()(new EngineFailure('unavailable', 'test'))
  for (let round = 0; round < 4; round++) t.not(set.choose('a')?.replica, first, 'its breaker is open')
  t.equal(first?.inFlight, 0)
  const other = set.choose('a')?.replica
  for (let failure = 0; failure < 5; failure++) other?.acquire()(new EngineFailure('rejected', 'test'))
  t.equal(other?.breaker.state, 'closed', 'a refusal is the fault of the request')
  await set.stop()
  await Promise.all(engines.map((engine) => engine.close()))
})

t.test('readiness follows the engines, and one lost answer changes nothing', async (t) => {
  const engine = await startSimulatedVllm()
  const set = new ReplicaSet({ engines: [{ url: engine.url }], timing, clock: systemClock, logger: silent })
  const seen: boolean[] = []
  let waiting: (() => void) | undefined
  set.onReadyChange((ready) => {
    seen.push(ready)
    waiting?.()
  })
  const change = (): Promise<void> => new Promise((resolve) => (waiting = resolve))
  await set.start()
  const [replica] = set.replicas
  replica?.probeFailed()
  t.equal(replica?.healthy, true)
  const lost = change()
  engine.faults.set([{ kind: 'refuse' }])
  await lost
  t.equal(set.ready, false)
  t.equal(set.choose('simulated'), null)
  t.equal(set.knows('simulated'), true)
  const found = change()
  engine.faults.clear()
  await found
  t.same(seen, [true, false, true])
  t.equal(set.stop(), set.stop())
  await set.stop()
  await engine.close()
})

t.test('a set that stops while it starts does not wait for engines that hang', async (t) => {
  const engine = await startSimulatedVllm()
  await engine.close()
  const set = new ReplicaSet({ engines: [{ url: engine.url }], timing: { ...timing, engineCallMs: 60_000 }, clock: systemClock, logger: silent })
  const started = set.start()
  await set.stop()
  await started
  t.equal(set.ready, false)
})
