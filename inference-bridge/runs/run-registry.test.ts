import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { BeginGranted } from '../../protocol/bus/begin.ts'
import { decodeControlReply, encodeBus } from '../../protocol/bus/codec.ts'
import { ControlRequest } from '../../protocol/bus/control.ts'
import { busVersion, controlSubject } from '../../protocol/bus/subjects.ts'
import { newTurnId } from '../../protocol/ids.ts'
import { writeMsgpack } from '../../protocol/msgpack/writer.ts'
import { arbitraryOf } from '../../protocol/testing/schema-arbitrary.ts'
import { MemoryBus } from '../../platform/bus/memory/memory-bus.ts'
import { Refusals } from '../../platform/bus/refusals.ts'
import { recordedLogger } from '../../platform/logging/testing/recorded-logger.ts'
import { WholeTokens } from '../generation/whole-tokens.ts'
import { RunRegistry } from './run-registry.ts'
import { noTracer } from '../../platform/tracing/tracer.ts'
import { Run } from './run.ts'

const turnId = newTurnId(3)
/** No changed byte makes another number this, nor this another that is asked for. */
const number = 70_000
const grant: BeginGranted = {
  v: busVersion, type: 'granted', run: number, attempt: 1, edge: 'edge-1', user_id: 'ann', model: 'm', params: {}, system: null, messages: [], more: null, deadline_at: 0,
  resume: { text: 'Hello', token_ids: new Uint8Array(20), model: 'm' },
}

function newRegistry(t: Test) {
  const thrown: unknown[] = []
  const bus = new MemoryBus({ onHandlerError: (error) => thrown.push(error) })
  const logger = recordedLogger()
  const registry = new RunRegistry(new Refusals({ logger, monotonic: () => 0 }))
  const run = new Run({ turnId, conversationId: 1027 }, grant, new WholeTokens(), noTracer.span('run', null, 'server'))
  registry.add(run)
  const channel = bus.channel()
  registry.listen(channel, 'bridge-1')
  t.teardown(() => {
    registry.close()
    return channel.close()
  })
  const ask = async (payload: Uint8Array) => decodeControlReply(await channel.request(controlSubject('bridge-1'), payload, { timeoutMs: 10_000 }))
  return { channel, registry, run, ask, thrown, lines: logger.lines }
}

t.test('whatever is sent to a bridge, its run goes on until its owner stops it', async (t) => {
  const { channel, run, ask, thrown, lines } = newRegistry(t)
  const stale = encodeBus({ v: busVersion, type: 'abort', turn_id: turnId, run: 1 })
  const wrong = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.jsonValue().map((value) => writeMsgpack(JSON.parse(JSON.stringify(value)) as object)),
    arbitraryOf(ControlRequest).map((request) => encodeBus({ ...(request as ControlRequest), v: busVersion })),
    fc.tuple(fc.nat(), fc.nat(255)).map(([where, byte]) => stale.slice().fill(byte, where % stale.length, (where % stale.length) + 1)),
    fc.integer({ min: busVersion + 1, max: 2 ** 40 }).map((v) => writeMsgpack({ v, edge: 'future', type: 'abort', turn_id: turnId, run: number })),
    fc.constantFrom(
      stale,
      encodeBus({ v: busVersion, type: 'abort', turn_id: newTurnId(3), run: number }),
      encodeBus({ v: busVersion, type: 'attach', turn_id: turnId, run: 1, edge: 'mallory', offset: 0, id_offset: 0 }),
      encodeBus({ v: busVersion, type: 'attach', turn_id: turnId, run: number, edge: 'mallory', offset: 2 ** 40, id_offset: 0 }),
    ),
  )
  await fc.assert(
    fc.asyncProperty(wrong, async (payload) => {
      channel.publish(controlSubject('bridge-1'), payload)
      await ask(stale)
      return run.stopped === null && run.edge === 'edge-1'
    }),
    { numRuns: 2_000 },
  )
  t.same(thrown, [])
  t.ok(lines.length <= 201 && lines.every(({ level, fields }) => level === 'warn' && ['malformed', 'newer_version'].includes(String(fields['kind']))), `${lines.length} lines`)
  // A byte of another message may have made it newer, too.
  t.ok(lines.some(({ fields }) => fields['kind'] === 'newer_version' && fields['sender'] === 'future'))
  t.match(await ask(encodeBus({ v: busVersion - 1, type: 'abort', turn_id: turnId, run: number })), { type: 'aborted', text: 'Hello' }, 'its owner, of the version before')
  t.equal(run.stopped, 'aborted')
})
