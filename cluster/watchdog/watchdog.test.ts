import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { Watchdog } from './watchdog.ts'

const node = process.execPath

/** A program that is up when this resolves. */
async function program(t: Test, source: string): Promise<ChildProcess> {
  const child = spawn(node, ['-e', `${source}; console.log('up'); setInterval(() => {}, 1000)`], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(createInterface({ input: child.stdout }), 'line')
  return child
}

/** A launcher that leaves these processes to its watchdog, and is killed. */
async function dyingLauncher(t: Test, folder: string, left: readonly (readonly [pid: number, signal: string | null])[]): Promise<void> {
  const module = new URL('watchdog.js', import.meta.url).href
  const source = `
    import { Watchdog } from ${JSON.stringify(module)}
    const watchdog = new Watchdog(${JSON.stringify(folder)})
    await watchdog.start()
    for (const [pid, signal] of ${JSON.stringify(left)}) watchdog.watch(pid, signal)
    console.log('up')`
  const launcher = spawn(node, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => launcher.kill('SIGKILL'))
  await once(createInterface({ input: launcher.stdout }), 'line')
  launcher.kill('SIGKILL')
  await once(launcher, 'exit')
}

t.test('what a killed launcher leaves is ended, by the signal it heeds or by force, and then the folder is free', async (t) => {
  const folder = t.testdir()
  const heeds = await program(t, "process.on('SIGINT', () => process.exit(7))")
  const halted = await program(t, '')
  halted.kill('SIGSTOP')
  const exits = Promise.all([heeds, halted].map((child) => once(child, 'exit')))
  await dyingLauncher(t, folder, [[heeds.pid as number, 'SIGINT'], [halted.pid as number, null]])
  t.same(await exits, [[7, null], [null, 'SIGKILL']])

  const next = new Watchdog(folder)
  await next.start()
  await next.stop()
})

t.test('a folder in use by a launcher that lives is refused at once, with its process id', async (t) => {
  const folder = t.testdir()
  const first = new Watchdog(folder)
  await first.start()
  const began = performance.now()
  await t.rejects(new Watchdog(folder).start(), { code: 'folder_in_use', holderPid: process.pid, exitCode: 78 })
  t.ok(performance.now() - began < 3_000)
  await first.stop()
  await first.stop()
})

t.test('what has ended is left alone', async (t) => {
  const watchdog = new Watchdog(t.testdir())
  await watchdog.start()
  const bystander = await program(t, "process.on('SIGINT', () => process.exit(7))")
  watchdog.watch(bystander.pid as number, 'SIGINT')
  watchdog.forget(bystander.pid as number)
  await watchdog.stop()
  t.equal(bystander.exitCode, null)
})

t.test('a watchdog that is killed is replaced, and the next knows what to end', { skip: process.platform === 'linux' ? false : 'needs /proc' }, async (t) => {
  const watchdogs = () => readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').split(' ').filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('watchdog'))
  const heeds = await program(t, "process.on('SIGINT', () => process.exit(7))")
  const watchdog = new Watchdog(t.testdir())
  await watchdog.start()
  watchdog.watch(heeds.pid as number, 'SIGINT')
  const [first] = watchdogs()
  process.kill(Number(first), 'SIGKILL')
  while (watchdogs().every((pid) => pid === first)) await new Promise((resolve) => setTimeout(resolve, 10))
  const exited = once(heeds, 'exit')
  await watchdog.stop()
  t.same(await exited, [7, null])
})
