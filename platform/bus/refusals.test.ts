import t from 'tap'
import { BusMessageError } from '../../protocol/bus/codec.ts'
import { ChatError } from '../../protocol/errors.ts'
import { recordedLogger } from '../logging/testing/recorded-logger.ts'
import { Refusals } from './refusals.ts'

function newRefusals() {
  const logger = recordedLogger()
  const clock = { at: 0 }
  return { refusals: new Refusals({ logger, monotonic: () => clock.at }), lines: logger.lines, clock }
}

const newer = (bridge: string) => new BusMessageError('newer_version', 'version 9 of the bus messages, and this process knows 1', { of: { v: 9, bridge } })

t.test('a sender of a later release is told of once a minute, with how many came since', (t) => {
  const { refusals, lines, clock } = newRefusals()
  for (let n = 0; n < 1_000; n += 1) refusals.failed('turn.begin', newer('bridge-1'))
  t.match(lines, [{ level: 'warn', message: /later release .* upgraded/, fields: { subject: 'turn.begin', kind: 'newer_version', sender: 'bridge-1', reason: /version 9/, refusedSince: undefined } }])
  clock.at = 60_000
  refusals.failed('turn.begin', newer('bridge-1'))
  t.match(lines.slice(1), [{ fields: { sender: 'bridge-1', refusedSince: 999 } }])
  clock.at = 119_999
  refusals.failed('turn.begin', newer('bridge-1'))
  t.equal(lines.length, 2)
  t.end()
})

t.test('each sender, subject and kind of fault has a line of its own', (t) => {
  const { refusals, lines } = newRefusals()
  refusals.failed('turn.begin', newer('bridge-1'))
  refusals.failed('turn.begin', newer('bridge-2'))
  refusals.failed('turn.finish', newer('bridge-1'))
  refusals.failed('turn.begin', new BusMessageError('malformed', 'no version'))
  refusals.failed('turn.begin', new ChatError('unavailable'))
  t.match(lines.map(({ fields }) => [fields['subject'], fields['kind'], fields['sender']]), [
    ['turn.begin', 'newer_version', 'bridge-1'], ['turn.begin', 'newer_version', 'bridge-2'], ['turn.finish', 'newer_version', 'bridge-1'],
    ['turn.begin', 'malformed', null], ['turn.begin', 'unavailable', null],
  ])
  t.end()
})

t.test('a name that is none is not repeated', (t) => {
  const { refusals, lines } = newRefusals()
  for (const name of ['two words', 'x'.repeat(65), '\u001b[2J', '']) refusals.failed('turn.begin', newer(name))
  t.match(lines, [{ fields: { sender: null } }])
  t.equal(lines.length, 1)
  t.end()
})

t.test('senders without number share a line, until those before are forgotten', (t) => {
  const { refusals, lines, clock } = newRefusals()
  for (let n = 0; n < 10_000; n += 1) refusals.failed('turn.begin', newer(`bridge-${n}`))
  t.equal(lines.length, 201)
  clock.at = 60_000
  refusals.failed('turn.begin', newer('bridge-late'))
  t.match(lines.at(-1), { fields: { sender: 'bridge-late' } })
  t.end()
})

t.test('a fault of this program is told with where it was', (t) => {
  const { refusals, lines } = newRefusals()
  const fault = new TypeError('of ours')
  for (let n = 0; n < 2; n += 1) refusals.failed('turn.begin', fault)
  t.match(lines, [{ fields: { kind: 'TypeError', err: fault } }])
  t.equal(lines.length, 1)
  t.end()
})
