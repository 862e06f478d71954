/**
 * A program that holds the lock on the cluster's data folder, and outlives the launcher by just as long as it takes to end
 * what that left behind. Arguments: the folder, and the launcher's process id. Standard input says what runs: `+12 SIGINT`
 * for the process 12, which that signal asks to end (`-`: which ends by itself), and `-12` when it has ended. The input
 * ends when the launcher does, in whichever way.
 */
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { DataFolderError } from '../../storage/pglite/data-folder-error.ts'
import { lockFolder } from '../../storage/pglite/folder-lock.ts'

/** Of those that end by themselves, and then of the others: they are killed where it takes longer. */
const endWithinMs = 3_500
/** Another's watchdog may still be ending what was left behind. */
const lockPatienceMs = 2 * endWithinMs + 1_000

const [folder, launcher] = process.argv.slice(2)
if (folder === undefined || launcher === undefined) throw new Error('usage: main.js <data folder> <process id>')

// Signals may reach the whole process group; the end of the input follows, and is what counts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

const running = new Map<number, string>()
const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  const [, sign, pid, signal = '-'] = /^([+-])(\d+)(?: (SIG[A-Z]+|-))?$/.exec(line) ?? []
  if (sign === '+') running.set(Number(pid), signal)
  else running.delete(Number(pid))
})
const launcherGone = new Promise<void>((resolve) => {
  input.once('close', resolve)
})

const say = (message: unknown): Promise<void> => new Promise((resolve) => process.stdout.write(`${JSON.stringify(message)}\n`, () => resolve()))

try {
  await lockPatiently(folder, Number(launcher))
  await say({ locked: true })
} catch (error) {
  if (!(error instanceof DataFolderError)) throw error
  await say({ error: { code: error.code, message: error.message, holderPid: error.holderPid } })
  process.exit(error.exitCode)
}
await launcherGone
await endAll()
process.exit(0)

async function lockPatiently(data: string, holder: number): Promise<void> {
  for (const deadline = performance.now() + lockPatienceMs; ; await delay(100)) {
    try {
      await lockFolder(data, holder)
      return
    } catch (error) {
      if (!(error instanceof DataFolderError) || performance.now() > deadline) throw error
      if (error.holderPid !== null && send(error.holderPid, 0)) throw error
    }
  }
}

/** What stands on others goes before them. */
async function endAll(): Promise<void> {
  await ended([...running.keys()].filter((pid) => running.get(pid) === '-'))
  const others = [...running.keys()].filter((pid) => running.get(pid) !== '-')
  for (const pid of others) send(pid, running.get(pid) as NodeJS.Signals)
  await ended(others)
}

async function ended(pids: readonly number[]): Promise<void> {
  const deadline = performance.now() + endWithinMs
  while (pids.some((pid) => send(pid, 0)) && performance.now() < deadline) await delay(20)
  for (const pid of pids) send(pid, 'SIGKILL')
}

/** Whether there is such a process. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
