/** One edge or bridge: a process that is started again when it dies. */
import { setTimeout as delay } from 'node:timers/promises'
import { startProcess, type RunningProcess } from '../../harness/processes.ts'

export interface MemberOptions {
  readonly node: string
  readonly role: 'edge' | 'bridge'
  /** A JavaScript file. */
  readonly program: string
  /** What each start is given: the number of the start, from 1, decides. */
  readonly env: (start: number) => Readonly<Record<string, string>>
  readonly restartAfterMs: number
  /** Each line that it says. */
  readonly onLine: (line: string) => void
}

interface Ready {
  readonly port?: number
  readonly status_port: number
}

export class Member {
  readonly node: string
  readonly role: 'edge' | 'bridge'
  readonly #options: MemberOptions
  #process: RunningProcess<Ready> | undefined
  #starts = 0
  #supervision: Promise<void> = Promise.resolve()
  #stopping = new AbortController()
  #waiting: (() => void)[] = []

  constructor(options: MemberOptions) {
    this.#options = options
    this.node = options.node
    this.role = options.role
  }

  /** Rejects where the first start fails. */
  async start(): Promise<Ready> {
    const { ready } = await this.#launch()
    this.#supervision = this.#supervise()
    return ready
  }

  /** Null while it is down. */
  get pid(): number | null {
    return this.#process?.pid ?? null
  }

  get metricsUrl(): string | null {
    return this.#process === undefined ? null : `http://127.0.0.1:${this.#process.ready.status_port}/metrics`
  }

  get starts(): number {
    return this.#starts
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal)
  }

  /** Resolves once it runs and has been started at least so often. */
  async startedAgain(starts: number): Promise<void> {
    while (this.#process === undefined || this.#starts < starts) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#process?.signal('SIGCONT')
    await this.#process?.stop({ deadlineMs: 30_000 })
    await this.#supervision
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#stopping
    for (;;) {
      await this.#process?.exited
      this.#process = undefined
      if (!signal.aborted) await delay(this.#options.restartAfterMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      try {
        await this.#launch()
      } catch (error) {
        this.#options.onLine(`did not start: ${String(error)}`)
      }
    }
  }

  async #launch(): Promise<RunningProcess<Ready>> {
    this.#starts += 1
    const { program, env, onLine } = this.#options
    const ready = (line: string): Ready | undefined => {
      onLine(line)
      return line.startsWith('{"ready":true') ? (JSON.parse(line) as Ready) : undefined
    }
    this.#process = await startProcess(undefined, { command: process.execPath, args: ['--enable-source-maps', program], env: env(this.#starts), ready })
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
    return this.#process
  }
}
