import { findRedisServer } from '../../cluster/programs/server-programs.ts'
import { temporaryFolder } from './guard.ts'
import { freePort } from './ports.ts'
import { startProcess, type RunningProcess, type TestContext } from './processes.ts'

/**
 * A new, empty Redis on a random port of 127.0.0.1, ready in about 0.1 s, which keeps nothing on disk; `args` are those
 * of its command line, such as `--requirepass`. It ends with the test.
 */
export async function startRedisServer(t: TestContext, args: readonly string[] = []): Promise<RedisServer> {
  const program = findRedisServer()
  if (program === undefined) throw new Error('No redis-server of version 7 or later on this machine: `npm test` installs it or says how')
  const folder = temporaryFolder('redis')
  const server = new RedisServer(program, folder.path, await freePort(), args)
  t.teardown(async () => {
    await server.kill()
    folder.remove()
  })
  await server.start()
  return server
}

export class RedisServer {
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

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** On the same port as before, and empty. */
  async start(): Promise<void> {
    const ready = (line: string): true | undefined => (line.includes('Ready to accept connections') ? true : undefined)
    const args = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.#folder, '--save', '', '--appendonly', 'no', ...this.#args]
    this.#process = await startProcess(undefined, { command: this.#program, args, ready })
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#process?.kill()
    this.#process = undefined
  }

  /** Halt it, and let it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.signal(signal)
  }
}
