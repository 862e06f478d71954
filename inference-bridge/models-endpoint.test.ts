import t from 'tap'
import { decodeModelsReply, encodeBus } from '../protocol/bus/codec.ts'
import { busVersion, modelsSubject } from '../protocol/bus/subjects.ts'
import { startHarness } from './testing/bridge-harness.ts'
import { startFakeEngine } from './testing/fake-engine.ts'

t.test('a bridge tells what its engines serve, each model once, and nothing when it is asked nonsense', async (t) => {
  const other = await startFakeEngine(t, [{ id: 'simulated', max_model_len: 1 }, { id: 'other' }, { id: 'x'.repeat(129) }], () => undefined)
  const { bus, bridge, log } = await startHarness(t, { engines: [{ maxModelLen: 777 }], endpoints: [other] })
  const channel = bus.channel()
  t.teardown(() => channel.close())
  const ask = async (payload: Uint8Array) => decodeModelsReply(await channel.request(modelsSubject, payload, { timeoutMs: 200 }))
  t.same(await ask(encodeBus({ v: busVersion, edge: 'edge-1' })), { v: busVersion, bridge: 'bridge-1', models: [{ id: 'simulated', max_tokens: 777 }, { id: 'other', max_tokens: null }] })
  await t.rejects(ask(Uint8Array.of(1)), { code: 'timeout' })
  t.equal(log.filter(({ level }) => level === 'warn').length, 1)
  await bridge.stop()
  await t.rejects(ask(encodeBus({ v: busVersion, edge: 'edge-1' })), { code: 'no_responders' })
})
