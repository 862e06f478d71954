import t from 'tap'
import { readArguments } from './arguments.ts'

const names = ['edge-killed', 'nats-cut']

t.test('the command line says how long, which faults, how many and from which seed', async (t) => {
  t.same(readArguments([], names, 7), { durationMs: 600_000, seed: 7, faults: [], conversations: 12 })
  t.same(readArguments(['--duration', '90s', '--seed', '3', '--faults', 'nats-cut, edge-killed', '--conversations', '5'], names, 7), { durationMs: 90_000, seed: 3, faults: ['nats-cut', 'edge-killed'], conversations: 5 })
  t.equal(readArguments(['--help'], names, 7), 'help')
})

t.test('what cannot be meant is refused in words', async (t) => {
  t.throws(() => readArguments(['--duration', 'soon'], names, 7), { name: 'RangeError', message: /--duration: "soon" is not a time/ })
  t.throws(() => readArguments(['--seed', '-1x'], names, 7))
  t.throws(() => readArguments(['--conversations', '0'], names, 7), { name: 'RangeError', message: /from 1 to 200/ })
  t.throws(() => readArguments(['--faults', 'rain'], names, 7), { name: 'RangeError', message: /no fault rain/ })
})
