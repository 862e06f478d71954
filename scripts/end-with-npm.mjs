import { readFileSync } from 'node:fs'

/**
 * npm passes a Ctrl-C on, but its own SIGTERM ends only the shell between it and us, and its SIGKILL nothing.
 * Either shows in our line of parents: then this process gets the SIGTERM, within a second.
 */
export function endWithNpm() {
  if (!process.env.npm_lifecycle_event) return
  const atStart = parents()
  const timer = setInterval(() => {
    if (parents() === atStart) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, 1000)
  timer.unref()
}

/** Where the shell is no parent of ours (it may replace itself by us), npm is, and the first alone tells. */
function parents() {
  const parent = process.ppid
  try {
    const [, , grandparent] = /^(.*\)) \S (\d+)/s.exec(readFileSync(`/proc/${parent}/stat`, 'utf8')) ?? []
    return `${parent} ${grandparent}`
  } catch {
    return String(parent)
  }
}
