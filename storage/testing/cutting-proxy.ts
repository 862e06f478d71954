/** A TCP proxy before a Postgres server that cuts connections around a commit, on order. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** `before`: the server never gets the commit. `after`: it gets it, and its answer is lost. */
export type Cut = 'before' | 'after' | null

/** What commits: the end of a transaction, and the statements that are one of their own. */
const commits = ['COMMIT', 'first_writes', 'usual_']

export class CuttingProxy {
  /** Taken by the next commit that passes. */
  next: Cut = null
  /** Commits that were cut. */
  cuts = 0
  readonly #server: Server
  readonly #port: number
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, port: number) {
    this.#server = server
    this.#port = port
    server.on('connection', (client) => this.#join(client))
  }

  static async start(port: number): Promise<CuttingProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new CuttingProxy(server, port)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #join(client: Socket): void {
    const server = connect(this.#port, '127.0.0.1')
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
    }
    server.on('data', (bytes) => client.write(bytes)).on('close', () => client.destroy())
    client.on('close', () => server.end())
    client.on('data', (bytes) => {
      if (this.next === null || !commits.some((commit) => bytes.includes(commit))) return void server.write(bytes)
      const cut = this.next
      this.next = null
      this.cuts += 1
      if (cut === 'before') return void server.destroy()
      // The server reads all of it, and only then that there is nobody to answer to.
      server.removeAllListeners('data').resume()
      server.end(bytes)
      return void client.destroy()
    })
  }
}
