import { findRedisServer } from '../../cluster/programs/server-programs.ts'
import type { TestContext } from './processes.ts'
import { ProgramServer, startServer, type ServedProgram } from './program-server.ts'

/**
 * A new, empty Redis on a random port of 127.0.0.1, ready in about 0.1 s, which keeps nothing on disk; `args` are those
 * of its command line, such as `--requirepass`. It ends with the test.
 */
export async function startRedisServer(t: TestContext, args: readonly string[] = []): Promise<RedisServer> {
  const command = findRedisServer()
  if (command === undefined) throw new Error('No redis-server of version 7 or later on this machine: `npm test` installs it or says how')
  return startServer(t, 'redis', (port, folder) => new RedisServer(port, folder, command, args))
}

/** Whenever it starts, it is empty. */
export class RedisServer extends ProgramServer {
  readonly #command: string
  readonly #args: readonly string[]

  constructor(port: number, folder: string, command: string, args: readonly string[]) {
    super(port, folder)
    this.#command = command
    this.#args = args
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  protected program(): ServedProgram {
    const args = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.folder, '--save', '', '--appendonly', 'no', ...this.#args]
    return { command: this.#command, args, readyLine: 'Ready to accept connections' }
  }
}
