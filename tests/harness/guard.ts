import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

let watchdog: ChildProcess | undefined

/** Tells the watchdog of this test process, started at first use. */
function tell(line: string): void {
  if (watchdog === undefined) {
    const program = fileURLToPath(new URL('watchdog.js', import.meta.url))
    watchdog = spawn(process.execPath, [program], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, windowsHide: true })
    // It must not keep the test process alive: its job begins when that ends.
    watchdog.unref()
    if (watchdog.stdin !== null && 'unref' in watchdog.stdin) (watchdog.stdin as unknown as { unref(): void }).unref()
  }
  watchdog.stdin?.write(`${line}\n`)
}

/** Has the child killed when this test process ends, even by SIGKILL. */
export function guardProcess(child: ChildProcess): void {
  if (child.pid === undefined) return
  tell(`+pid ${child.pid}`)
  child.once('exit', () => tell(`-pid ${child.pid}`))
}

export interface TemporaryFolder {
  readonly path: string
  readonly remove: () => void
}

/** A new folder that is removed when this test process ends, if not before. */
export function temporaryFolder(name: string): TemporaryFolder {
  const folder = mkdtempSync(path.join(os.tmpdir(), `chatterbot-${name}-`))
  tell(`+folder ${folder}`)
  return {
    path: folder,
    remove: () => {
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
      tell(`-folder ${folder}`)
    }
  }
}
