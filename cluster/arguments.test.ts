import t from 'tap'
import { StartupFault } from '../platform/lifecycle/startup-fault.ts'
import { readArguments, usage } from './arguments.ts'

function faultsOf(...args: string[]): string[] {
  try {
    readArguments(args)
  } catch (error) {
    if (error instanceof StartupFault && error.exitCode === 64) return error.message.split('\n').slice(1).map((line) => line.replace('  - ', ''))
    throw error
  }
  return []
}

t.test('without arguments there are two edges, two bridges, and 2 s until a restart', (t) => {
  t.strictSame(readArguments([]), { edges: 2, bridges: 2, port: null, engine: null, restartAfterMs: 2000, dataFolder: null, json: false, help: false })
  t.end()
})

t.test('every option is read, with its value behind it or behind an equals sign', (t) => {
  const given = readArguments(['--edges', '3', '--bridges=4', '--port', '0', '--engine', 'http://a:8000', '--engine=https://b', '--restart-after', '500ms', '--data-dir', 'x', '--json'])
  t.strictSame(given, { edges: 3, bridges: 4, port: 0, engine: { kind: 'named', urls: ['http://a:8000', 'https://b'] }, restartAfterMs: 500, dataFolder: 'x', json: true, help: false })
  for (const kind of ['simulated', 'local'] as const) t.same(readArguments(['--engine', kind]).engine, { kind })
  for (const [text, ms] of [['0', 0], ['3', 3000], ['1.5s', 1500], ['3600s', 3_600_000]] as const) t.equal(readArguments(['--restart-after', text]).restartAfterMs, ms)
  t.end()
})

t.test('every fault is told at once', (t) => {
  t.strictSame(faultsOf('--edges', '0', '--bridges', '65', '--port', '-1', '--restart-after', '2h', '--engine', 'simulated', '--engine', 'ftp://a', '--json=yes', '--colour', 'extra'), [
    '--json: it takes no value.',
    '--colour: there is no such option.',
    'extra: it is not known what is meant by that.',
    '--edges: "0" is not a whole number from 1 to 64.',
    '--bridges: "65" is not a whole number from 1 to 64.',
    '--port: "-1" is not a whole number from 0 to 65535.',
    '--engine: simulated cannot be one of several.',
    '--engine: "ftp://a" is neither simulated, local nor a URL that begins with http:// or https://.',
    '--restart-after: "2h" is not a time up to an hour, such as 500ms or 2s.',
  ])
  t.strictSame(faultsOf('--edges'), ['--edges: its value is missing.'])
  t.strictSame(faultsOf('--edges', '2', '--edges', '3'), ['--edges: it is given 2 times.'])
  for (const edges of ['1e1', '0x2', '2.0', '99999999999', ' ']) t.match(faultsOf('--edges', edges), [/^--edges: /])
  t.end()
})

t.test('help is given whatever else is said, and names every option', (t) => {
  t.equal(readArguments(['--help', '--colour']).help, true)
  for (const name of ['--edges', '--bridges', '--port', '--engine', '--restart-after', '--data-dir', '--json']) t.match(usage, name)
  t.end()
})
