/**
 * Preloaded (`--import`) into a process that is to be profiled: Node takes `--cpu-prof` on its own command line only. Writes
 * `<process id>.cpuprofile` into the folder that this module's address names as `?folder=`: of all of its life at its exit,
 * or with `&on=signal` of what is between two signals (SIGUSR2), at the second.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import path from 'node:path'

const { searchParams } = new URL(import.meta.url)
const folder = searchParams.get('folder')
if (folder === null) throw new Error('the folder for profiles is not named')
mkdirSync(folder, { recursive: true })
const file = path.join(folder, `${process.pid}.cpuprofile`)
const session = new Session()
let isProfiling = false

// A session within its own thread answers at once.
function begin(): void {
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.start')
  isProfiling = true
}

function end(): void {
  session.post('Profiler.stop', (_, { profile }) => {
    // Whoever waits for it finds all of it.
    writeFileSync(`${file}.part`, JSON.stringify(profile))
    renameSync(`${file}.part`, file)
  })
  session.disconnect()
  isProfiling = false
}

if (searchParams.get('on') === 'signal') {
  process.on('SIGUSR2', () => (isProfiling ? end() : begin()))
} else {
  begin()
  process.on('exit', end)
}
