import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { StoppedWhileStarting } from '../../platform/lifecycle/service-group.ts'
import { DidNotStart, SupervisedProcess, type End } from './supervised-process.ts'

interface Scripted {
  readonly process: SupervisedProcess
  /** In their order: the pids started, and the ends. */
  readonly told: (number | End)[]
  /** Resolves once so much was told. */
  until(count: number): Promise<void>
}

/** `source` is a program that is ready when it prints `up`. */
function scripted(t: Test, source: string, { restartAfterMs = 0, stopWithinMs = 5_000, silenceMs = 10_000 } = {}): Scripted {
  const told: (number | End)[] = []
  let look = (): void => {}
  const tell = (what: number | End): void => {
    told.push(what)
    look()
  }
  const process_ = new SupervisedProcess({
    name: 'program',
    program: { command: process.execPath, args: ['-e', source], env: {}, isReady: (line) => line === 'up', silenceMs, onLine: () => {}, onPid: () => {} },
    restartAfterMs,
    stopSignal: 'SIGTERM',
    stopWithinMs,
    onStarted: tell,
    onExited: tell,
  })
  t.teardown(() => process_.stop())
  return {
    process: process_,
    told,
    until: (count) =>
      new Promise((resolve) => {
        look = () => {
          if (told.length >= count) resolve()
        }
        look()
      }),
  }
}

const stays = 'console.log("up"); setInterval(() => {}, 1000)'

t.test('a program that is killed starts again, with another process, until it is stopped', async (t) => {
  const { process: program, told, until } = scripted(t, stays)
  await program.start()
  const first = program.pid as number
  process.kill(first, 'SIGKILL')
  await until(3)
  t.match(told, [first, { pid: first, exit: { code: null, signal: 'SIGKILL' }, willStartAgain: true, wasAsked: false }, Number])
  t.not(program.pid, first)
  await program.stop()
  t.match(told[3], { pid: told[2], exit: { signal: 'SIGTERM' }, willStartAgain: false, wasAsked: true })
  t.equal(program.pid, null)
})

t.test('a first start that fails is told with what the program said; later ones are tried again', async (t) => {
  const failing = scripted(t, 'console.error("no such table"); process.exit(78)')
  const fault: unknown = await failing.process.start().catch((error: unknown) => error)
  t.type(fault, DidNotStart)
  t.match(fault, { message: 'program did not start (exit code 78)', exit: { code: 78 }, lines: ['no such table'] })

  const marks = path.join(t.testdir(), 'marks')
  writeFileSync(marks, '')
  const source = `
    const fs = require('fs')
    const starts = fs.readFileSync(${JSON.stringify(marks)}, 'utf8').length
    fs.appendFileSync(${JSON.stringify(marks)}, 'x')
    if (starts === 1 || starts === 2) process.exit(3)
    ${stays}`
  const { process: program, told, until } = scripted(t, source)
  await program.start()
  process.kill(program.pid as number, 'SIGKILL')
  await until(5)
  t.match(told, [Number, { exit: { signal: 'SIGKILL' } }, { exit: { code: 3 } }, { exit: { code: 3 } }, Number])
  t.equal(readFileSync(marks, 'utf8').length, 4)
})

t.test('a program that cannot be run, and one that says nothing for too long, do not start', async (t) => {
  const absent = new SupervisedProcess({
    name: 'absent',
    program: { command: '/nonexistent/program', args: [], env: {}, isReady: () => true, silenceMs: 1_000, onLine: () => {}, onPid: () => t.fail('there is no process') },
    restartAfterMs: 0,
    stopSignal: 'SIGTERM',
    stopWithinMs: 1_000,
    onStarted: () => {},
    onExited: () => {},
  })
  await t.rejects(absent.start(), { message: /ENOENT/ })
  await absent.stop()
  const silent = scripted(t, 'setInterval(() => {}, 1000)', { silenceMs: 50 })
  await t.rejects(silent.process.start(), { message: /killed by SIGKILL/ })
})

t.test('a program that does not heed the signal is killed at the deadline', async (t) => {
  const { process: program, told } = scripted(t, `process.on('SIGTERM', () => {}); ${stays}`, { stopWithinMs: 50 })
  await program.start()
  await program.stop()
  t.match(told[1], { exit: { signal: 'SIGKILL' } })
})

t.test('a restart that is asked for waits for no delay, and is over when the program is ready again', async (t) => {
  const { process: program, told } = scripted(t, stays, { restartAfterMs: 3_600_000 })
  await program.start()
  await Promise.all([program.restart(), program.restart()])
  t.match(told, [Number, { exit: { signal: 'SIGTERM' }, willStartAgain: true, wasAsked: true }, Number])
  t.equal(told.length, 3)
})

t.test('a stop ends whatever is under way: a start, a delay, a restart', async (t) => {
  const starting = scripted(t, 'setInterval(() => {}, 1000)')
  const start = starting.process.start()
  await Promise.all([t.rejects(start, StoppedWhileStarting), starting.process.stop()])

  const waiting = scripted(t, stays, { restartAfterMs: 3_600_000 })
  await waiting.process.start()
  process.kill(waiting.process.pid as number, 'SIGKILL')
  await waiting.until(2)
  await waiting.process.stop()
  t.equal(waiting.told.length, 2)

  const restarting = scripted(t, stays)
  await restarting.process.start()
  await Promise.all([restarting.process.restart(), restarting.process.stop()])
  t.equal(restarting.told.length, 2)
  await restarting.process.restart()
  t.equal(restarting.told.length, 2, 'nor does it begin after one')
})

t.test('its standard input ends when whoever supervises it dies', async (t) => {
  const file = path.join(t.testdir(), 'ended')
  const module = new URL('supervised-process.js', import.meta.url).href
  const child = `process.stdin.on('end', () => { require('fs').writeFileSync(${JSON.stringify(file)}, ''); process.exit() }).resume(); console.log('up'); setInterval(() => {}, 1000)`
  const source = `
    import { SupervisedProcess } from ${JSON.stringify(module)}
    const program = { command: process.execPath, args: ['-e', ${JSON.stringify(child)}], env: {}, isReady: (line) => line === 'up', silenceMs: 10_000, onLine: () => {}, onPid: () => {} }
    const supervised = new SupervisedProcess({ name: 'program', program, restartAfterMs: 0, stopSignal: 'SIGTERM', stopWithinMs: 1000, onStarted: () => console.log('up'), onExited: () => {} })
    await supervised.start()`
  const { process: parent } = scripted(t, `import(${JSON.stringify(`data:text/javascript,${encodeURIComponent(source)}`)})`, { restartAfterMs: 3_600_000 })
  await parent.start()
  process.kill(parent.pid as number, 'SIGKILL')
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 10))
  t.pass('and it ended')
})
