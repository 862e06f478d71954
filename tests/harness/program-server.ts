import { temporaryFolder } from './guard.ts'
import { freePort } from './ports.ts'
import { startProcess, type RunningProcess, type TestContext } from './processes.ts'

/** How a program becomes a server: its arguments, and the line by which it says that it serves. */
export interface ServedProgram {
  readonly command: string
  readonly args: readonly string[]
  readonly readyLine: string
}

/** A server that is a program on a port of 127.0.0.1, with a folder for its data: it can be killed, halted, and started again where it was. */
export abstract class ProgramServer {
  readonly port: number
  protected readonly folder: string
  #process: RunningProcess<true> | undefined

  constructor(port: number, folder: string) {
    this.port = port
    this.folder = folder
  }

  /** On the same port and folder as before. */
  async start(): Promise<void> {
    const { command, args, readyLine } = this.program()
    this.#process = await startProcess(undefined, { command, args, ready: (line) => (line.includes(readyLine) ? true : undefined) })
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

  /** Halt it, and let it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.signal(signal)
  }

  protected abstract program(): ServedProgram
}

/** On a random port; it ends with the test, its folder too. */
export async function startServer<Server extends ProgramServer>(t: TestContext, name: string, make: (port: number, folder: string) => Server): Promise<Server> {
  const folder = temporaryFolder(name)
  const server = make(await freePort(), folder.path)
  t.teardown(async () => {
    await server.kill()
    folder.remove()
  })
  await server.start()
  return server
}
