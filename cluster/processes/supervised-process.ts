/**
 * Keeps one program running.
 *
 * new -> starting -> ready; one that ends by itself leads to waiting and, after the delay, to starting again, for ever.
 * stop leads from anywhere to stopped, and never back. A first start that fails is its caller's to judge.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { StoppedWhileStarting } from '../../platform/lifecycle/service-group.ts'
import { startChild, type Child, type Exit, type ProgramOptions } from './child.ts'

export interface SupervisedOptions {
  readonly name: string
  readonly program: ProgramOptions
  readonly restartAfterMs: number
  /** Asks the program to end well; it is killed where that takes longer than `stopWithinMs`. */
  readonly stopSignal: NodeJS.Signals
  readonly stopWithinMs: number
  readonly onStarted: (pid: number) => void
  readonly onExited: (end: End) => void
}

export interface End {
  /** Null where the program could not be run. */
  readonly pid: number | null
  readonly exit: Exit
  /** Once the delay is over, or at once where a restart was asked for. */
  readonly willStartAgain: boolean
  readonly wasAsked: boolean
  /** What it said last. */
  readonly lines: readonly string[]
}

/** The program ended before it was ready. */
export class DidNotStart extends Error {
  override readonly name = 'DidNotStart'
  readonly exit: Exit
  /** What it said last. */
  readonly lines: readonly string[]

  constructor(name: string, exit: Exit, lines: readonly string[]) {
    super(`${name} did not start (${describeExit(exit)})`, { cause: exit.error })
    this.exit = exit
    this.lines = lines
  }
}

export function describeExit({ code, signal, error }: Exit): string {
  return error?.message ?? (signal === null ? `exit code ${code}` : `killed by ${signal}`)
}

export class SupervisedProcess {
  readonly name: string
  readonly #options: SupervisedOptions
  readonly #stopping = new AbortController()
  #child: Child | null = null
  #isRestart = false
  /** Ends when the program does for good. */
  #supervision: Promise<void> = Promise.resolve()
  #starting: Promise<void> | undefined
  #restarted: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  constructor(options: SupervisedOptions) {
    this.name = options.name
    this.#options = options
  }

  /** Of the process that runs now; null between two. */
  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** Rejects with DidNotStart, and with StoppedWhileStarting. */
  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  /** Ends it well and starts it again at once. Resolves when it is ready again, however many starts that takes. */
  restart(): Promise<void> {
    if (this.#restarted !== undefined) return this.#restarted.promise
    if (this.#stopping.signal.aborted) return Promise.resolve()
    let resolve = (): void => {}
    const promise = new Promise<void>((settle) => {
      resolve = settle
    })
    this.#restarted = { promise, resolve }
    this.#isRestart = true
    this.#end()
    return promise
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#end()
    await this.#starting?.catch(() => {})
    await this.#supervision
  }

  /** For when this process ends at once. */
  kill(): void {
    this.#stopping.abort()
    this.#child?.kill('SIGKILL')
  }

  async #start(): Promise<void> {
    const child = this.#launch()
    await this.#readiness(child)
    this.#options.onStarted(child.pid as number)
    this.#supervision = this.#supervise(child)
  }

  #launch(): Child {
    if (this.#stopping.signal.aborted) throw new StoppedWhileStarting(`${this.name} is not started, as the cluster stops`)
    const child = startChild(this.#options.program)
    this.#child = child
    return child
  }

  async #readiness(child: Child): Promise<void> {
    if (await child.ready) return
    this.#child = null
    if (this.#stopping.signal.aborted) throw new StoppedWhileStarting(`${this.name} is not started, as the cluster stops`)
    throw new DidNotStart(this.name, await child.exited, child.lastLines())
  }

  async #supervise(first: Child): Promise<void> {
    for (let child: Child | null = first; child !== null; child = await this.#startAgain()) {
      const exit = await child.exited
      this.#child = null
      this.#exited(child, exit)
    }
    this.#restarted?.resolve()
  }

  #exited(child: Child, exit: Exit): void {
    const isStopping = this.#stopping.signal.aborted
    this.#options.onExited({ pid: child.pid, exit, willStartAgain: !isStopping, wasAsked: isStopping || this.#isRestart, lines: child.lastLines() })
  }

  /** Null once it is stopped. */
  async #startAgain(): Promise<Child | null> {
    const { signal } = this.#stopping
    for (;;) {
      if (!this.#isRestart) await delay(this.#options.restartAfterMs, undefined, { signal }).catch(() => undefined)
      this.#isRestart = false
      if (signal.aborted) return null
      const child = this.#launch()
      if (await child.ready) {
        this.#options.onStarted(child.pid as number)
        this.#restarted?.resolve()
        this.#restarted = undefined
        return child
      }
      this.#child = null
      this.#exited(child, await child.exited)
    }
  }

  /** Where there is no process to end, one is about to start, and looks for itself. */
  #end(): void {
    const child = this.#child
    if (child === null) return
    child.kill(this.#options.stopSignal)
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#options.stopWithinMs)
    void child.exited.then(() => clearTimeout(timer))
  }
}
