/** The launcher's side of the watchdog: a process of its own that ends the cluster where the launcher cannot any more. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once as onceEvent } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { once } from '../../platform/lifecycle/once.ts'
import { DataFolderError, isDataFolderErrorCode } from '../../storage/pglite/data-folder-error.ts'

interface Message {
  readonly locked?: true
  readonly error?: { readonly code: string; readonly message: string; readonly holderPid: number | null }
}

export class Watchdog {
  readonly #folder: string
  readonly #running = new Map<number, NodeJS.Signals | null>()
  #child: ChildProcess | null = null
  #isStopped = false

  constructor(dataFolder: string) {
    this.#folder = dataFolder
  }

  /** Takes the lock on the data folder. Rejects with DataFolderError. */
  readonly start = once(() => this.#launch())

  /** What this process is about to leave to the watchdog. `stopSignal` null: it ends with its standard input. */
  watch(pid: number, stopSignal: NodeJS.Signals | null): void {
    this.#running.set(pid, stopSignal)
    this.#tell(pid)
  }

  forget(pid: number): void {
    this.#running.delete(pid)
    this.#child?.stdin?.write(`-${pid}\n`)
  }

  /** Gives up the lock. */
  readonly stop = once(async () => {
    this.#isStopped = true
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    child.stdin?.end()
    await onceEvent(child, 'exit')
  })

  async #launch(): Promise<void> {
    const program = fileURLToPath(new URL('main.js', import.meta.url))
    const child = spawn(process.execPath, [program, this.#folder, String(process.pid)], { stdio: ['pipe', 'pipe', 'inherit'], detached: true, windowsHide: true })
    this.#child = child
    child.stdin.on('error', () => {})
    for (const pid of this.#running.keys()) this.#tell(pid)
    const locked = new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const { error } = JSON.parse(line) as Message
        if (error === undefined) resolve()
        else reject(new DataFolderError(isDataFolderErrorCode(error.code) ? error.code : 'did_not_start', error.message, { holderPid: error.holderPid }))
      })
      child.once('error', reject)
      child.once('exit', (code) => reject(new DataFolderError('did_not_start', `The watchdog of the data folder ended with code ${code}.`)))
    })
    await locked
    // Killed, by whomever: the next takes its place. Should that fail, the cluster runs on unwatched.
    child.once('exit', () => {
      if (!this.#isStopped) this.#launch().catch(() => {})
    })
  }

  #tell(pid: number): void {
    this.#child?.stdin?.write(`+${pid} ${this.#running.get(pid) ?? '-'}\n`)
  }
}
