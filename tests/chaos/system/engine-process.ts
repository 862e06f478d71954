/** The simulated engine as a process that can be killed, and what all of its lives were asked. */
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import type { Fault } from '../../../load-tests/simulated-vllm/faults.ts'
import { freePort } from '../../harness/ports.ts'
import { jsonLineWith, startProcess, type RunningProcess, type TestContext } from '../../harness/processes.ts'
import type { EngineRequest } from '../checker/evidence.ts'

const program = fileURLToPath(new URL('../../../load-tests/simulated-vllm/main.js', import.meta.url))

/** A reply of 60 tokens takes a second, long enough for a fault to fall into it. */
const settings = { 'tokens-per-second': '60', 'first-token-ms': '30', 'max-model-len': '65000', 'keep-alive-ms': '1000' }

interface Log {
  readonly requests: readonly EngineRequest[]
  readonly forgotten: number
}

export class EngineProcess {
  readonly port: number
  #process: RunningProcess<unknown> | undefined
  /** Of the lives before. */
  #past: EngineRequest[] = []
  /** Resolves when nothing changes whether the engine lives any more. */
  #change: Promise<void> = Promise.resolve()

  private constructor(port: number) {
    this.port = port
  }

  static async start(t: TestContext): Promise<EngineProcess> {
    const engine = new EngineProcess(await freePort())
    t.teardown(() => engine.#process?.kill())
    await engine.restart()
    return engine
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** With its requests: what it was asked is kept. */
  kill(): Promise<void> {
    return this.#serially(async () => {
      if (this.#process === undefined) return
      const { requests } = await this.#log()
      const now = Date.now()
      await this.#process.kill()
      this.#process = undefined
      this.#past.push(...requests.map((each) => (each.endedAt === null ? { ...each, endedAt: now, state: 'fault' as const } : each)))
    })
  }

  restart(): Promise<void> {
    return this.#serially(async () => {
      if (this.#process !== undefined) return
      const args = [program, '--port', String(this.port), ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])]
      this.#process = await startProcess(undefined, { command: process.execPath, args, holdsInput: true, ready: jsonLineWith('ready') })
    })
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.signal(signal)
  }

  /** Does nothing to an engine that is dead. */
  setFaults(faults: readonly Fault[]): Promise<void> {
    return this.#serially(async () => {
      if (this.#process === undefined) return
      const { statusCode, body } = await request(`${this.url}/simulator/faults`, { method: 'POST', body: JSON.stringify({ faults }) })
      const answer = await body.text()
      if (statusCode !== 200) throw new Error(`the engine refuses the faults: ${answer}`)
    })
  }

  /** All of all its lives, oldest first. */
  async requests(): Promise<EngineRequest[]> {
    return [...this.#past, ...(this.#process === undefined ? [] : (await this.#log()).requests)]
  }

  async #log(): Promise<Log> {
    const { body } = await request(`${this.url}/simulator/requests`)
    return (await body.json()) as Log
  }

  #serially(change: () => Promise<void>): Promise<void> {
    this.#change = this.#change.catch(() => {}).then(change)
    return this.#change
  }
}
