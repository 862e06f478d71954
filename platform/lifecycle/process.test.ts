import t from 'tap'
import { jsonLineWith, runProgram, startProcess, type ProgramOptions, type RunningProcess } from '../../tests/harness/processes.ts'

/** A program of one service, whose steps are the given source; it says when it is up and what it does. */
function program({ start = '', drain = '', stop = '', later = '' }): ProgramOptions {
  const modules = new URL('../', import.meta.url)
  const source = `
    import { writeSync } from 'node:fs'
    import { createLogger } from '${new URL('logging/logger.js', modules).href}'
    import { ServiceGroup, StoppedWhileStarting } from '${new URL('lifecycle/service-group.js', modules).href}'
    import { endOnSignals } from '${new URL('lifecycle/process-signals.js', modules).href}'
    const say = (step) => writeSync(1, JSON.stringify({ step }) + '\\n')
    const logger = createLogger({ level: 'info', name: 'test' })
    try {
      const services = new ServiceGroup({ logger, drainDeadlineMs: 60_000, stopDeadlineMs: 60_000 })
      endOnSignals(services, logger)
      await services.add({
        name: 'only',
        async start() { ${start} },
        async drain() { say('drain'); ${drain} },
        async stop() { say('stop'); ${stop} },
      })
      setInterval(() => {}, 1000)
      logger.info('buffered')
      say('up')
      ${later}
    } catch (error) {
      if (!(error instanceof StoppedWhileStarting)) throw error
    }`
  return { command: process.execPath, args: ['--input-type=module', '-e', source] }
}

/** Windows has no signals: there, asking a process to end is ending it. */
const skip = process.platform === 'win32' ? 'no signals on Windows' : false

const ready = jsonLineWith('step')
const lines = (output: string) => output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>)
const steps = (output: string) => lines(output).flatMap(({ step }) => (step === undefined ? [] : [step]))
const said = async (child: RunningProcess<unknown>, step: string): Promise<void> => {
  while (!steps(child.output()).includes(step)) await new Promise((resolve) => setTimeout(resolve, 10))
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  t.test(`${signal} drains, stops, writes all log lines and exits with 0`, { skip }, async (t) => {
    const child = await startProcess(t, { ...program({}), ready })
    child.signal(signal)
    t.same(await child.exited, { code: 0, signal: null })
    t.strictSame(steps(child.output()), ['up', 'drain', 'stop'])
    t.strictSame(lines(child.output()).flatMap(({ msg }) => msg ?? []), ['buffered', 'stopping; once more to end at once', 'stopped'])
  })
}

t.test('the same signal passed on by npm as well is one, and a later one ends the process at once', { skip }, async (t) => {
  const child = await startProcess(t, { ...program({ drain: 'await new Promise(() => {})' }), ready })
  child.signal('SIGINT')
  child.signal('SIGINT')
  await said(child, 'drain')
  const again = setInterval(() => child.signal('SIGINT'), 50)
  t.teardown(() => clearInterval(again))
  t.same(await child.exited, { code: 130, signal: null })
  clearInterval(again)
  t.match(lines(child.output()).at(-1), { level: 'warn', msg: 'ending at once' })
})

t.test('a stop that fails exits with 1', { skip }, async (t) => {
  const child = await startProcess(t, { ...program({ stop: 'throw new Error("still open")' }), ready })
  t.same(await child.stop(), { code: 1, signal: null })
  t.match(lines(child.output()).at(-1), { level: 'error', msg: 'stop failed', err: { message: 'not stopped cleanly: only' } })
})

t.test('a signal while a service starts ends the process without a complaint', { skip }, async (t) => {
  const options = program({ start: 'say("starting"); await new Promise((resolve) => { globalThis.end = resolve })', stop: 'globalThis.end()' })
  const child = await startProcess(t, { ...options, ready })
  t.same(await child.stop(), { code: 0, signal: null })
  t.strictSame(steps(child.output()), ['starting', 'drain', 'stop'])
  t.notMatch(child.output(), /fatal/)
})

t.test('what nobody caught is logged in full and exits with 1', async (t) => {
  for (const later of ['setImmediate(() => { throw new TypeError("of null") })', 'void Promise.reject(new TypeError("of null"))']) {
    const { code, output } = await runProgram(program({ later }))
    t.equal(code, 1)
    t.strictSame(steps(output), ['up'])
    t.match(lines(output).at(-1), { level: 'fatal', msg: 'a fault that nobody caught', err: { type: 'TypeError', message: 'of null', stack: /at / } })
  }
})
