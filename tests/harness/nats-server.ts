import { rmSync } from 'node:fs'
import path from 'node:path'
import { natsServerProgram } from '../../cluster/programs/nats-program.ts'
import { temporaryFolder } from './guard.ts'
import { freePort } from './ports.ts'
import { startProcess, type RunningProcess, type TestContext } from './processes.ts'

/**
 * A new nats-server with JetStream on a random port of 127.0.0.1, ready in about 0.1 s; `args` are those of its command
 * line. It ends with the test, its data too.
 */
export async function startNatsServer(t: TestContext, args: readonly string[] = ['-js']): Promise<NatsServer> {
  const folder = temporaryFolder('nats')
  const server = new NatsServer(await natsServerProgram(), folder.path, await freePort(), args)
  t.teardown(async () => {
    await server.kill()
    folder.remove()
  })
  await server.start()
  return server
}

export class NatsServer {
  readonly port: number
  readonly #program: string
  readonly #folder: string
  readonly #args: readonly string[]
  #process: RunningProcess<true> | undefined

  constructor(program: string, folder: string, port: number, args: readonly string[]) {
    this.#program = program
    this.#folder = folder
    this.port = port
    this.#args = args
  }

  get #dataFolder(): string {
    return path.join(this.#folder, 'data')
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  /** On the same port and data as before. */
  async start(): Promise<void> {
    const ready = (line: string): true | undefined => (line.includes('Server is ready') ? true : undefined)
    const args = ['--addr', '127.0.0.1', '--port', String(this.port), '--store_dir', this.#dataFolder, ...this.#args]
    this.#process = await startProcess(undefined, { command: this.#program, args, ready })
  }

  /** A clean shutdown. */
  async stop(): Promise<void> {
    await this.#process?.stop()
    this.#process = undefined
  }

  /** SIGKILL, as when the machine's memory runs out. */
  async kill(): Promise<void> {
    await this.#process?.kill()
    this.#process = undefined
  }

  /** Of a killed or stopped server: it starts empty. */
  loseData(): void {
    rmSync(this.#dataFolder, { recursive: true, force: true })
  }

  /** Halt it, and let it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.signal(signal)
  }
}
