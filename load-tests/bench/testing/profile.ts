/**
 * Preloaded (`--import`) into a process that is to be profiled: Node takes `--cpu-prof` on its own command line only. Writes
 * `<process id>.cpuprofile` at its exit into the folder that this module's address names as `?folder=`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import path from 'node:path'

const folder = new URL(import.meta.url).searchParams.get('folder')
if (folder === null) throw new Error('the folder for profiles is not named')
mkdirSync(folder, { recursive: true })
const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.start')
// A session within its own thread answers at once.
process.on('exit', () => session.post('Profiler.stop', (_, { profile }) => writeFileSync(path.join(folder, `${process.pid}.cpuprofile`), JSON.stringify(profile))))
