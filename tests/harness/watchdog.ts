import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'

/**
 * A program: outlives the test process that started it by just as long as it takes to clean up.
 * Its standard input says what to watch, a line each: `+pid 12`, `-pid 12`, `+folder /tmp/x`, `-folder /tmp/x`.
 * The input ends when the test process does, in whichever way; what is still named then is killed and removed.
 */
const watched = { pid: new Set<string>(), folder: new Set<string>() }

// A Ctrl-C reaches the whole process group; the end of the input follows, and is what counts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

for await (const line of createInterface({ input: process.stdin })) {
  const [, sign, kind, value] = /^([+-])(pid|folder) (.+)$/.exec(line) ?? []
  if (value === undefined) continue
  const set = kind === 'pid' ? watched.pid : watched.folder
  if (sign === '+') set.add(value)
  else set.delete(value)
}
for (const pid of watched.pid) {
  try {
    process.kill(Number(pid), 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
for (const folder of watched.folder) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
