import { rmSync } from 'node:fs'
import path from 'node:path'
import { natsServerProgram } from '../../cluster/programs/nats-program.ts'
import type { TestContext } from './processes.ts'
import { ProgramServer, startServer, type ServedProgram } from './program-server.ts'

/**
 * A new nats-server with JetStream on a random port of 127.0.0.1, ready in about 0.1 s; `args` are those of its command
 * line. It ends with the test, its data too.
 */
export async function startNatsServer(t: TestContext, args: readonly string[] = ['-js']): Promise<NatsServer> {
  const command = await natsServerProgram()
  return startServer(t, 'nats', (port, folder) => new NatsServer(port, folder, command, args))
}

export class NatsServer extends ProgramServer {
  readonly #command: string
  readonly #args: readonly string[]

  constructor(port: number, folder: string, command: string, args: readonly string[]) {
    super(port, folder)
    this.#command = command
    this.#args = args
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  /** Of a killed or stopped server: it starts empty. */
  loseData(): void {
    rmSync(this.#dataFolder, { recursive: true, force: true })
  }

  get #dataFolder(): string {
    return path.join(this.folder, 'data')
  }

  protected program(): ServedProgram {
    const args = ['--addr', '127.0.0.1', '--port', String(this.port), '--store_dir', this.#dataFolder, ...this.#args]
    return { command: this.#command, args, readyLine: 'Server is ready' }
  }
}
