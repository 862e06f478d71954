/** A TCP proxy that misbehaves on order: before a server, or before a client. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/**
 * - `pass`: as if there were none; `delayMs` later, in both directions
 * - `refuse`: connections are reset as soon as they are made
 * - `hold`: nothing passes, and nothing is lost: what was said arrives when it passes again
 * - `hold_answers`: the same for what the server says only: a client that does not read
 * - `swallow`: connections are accepted, and what is said on them is lost; half-open. They are reset when it passes again
 */
export type ProxyMode = { readonly type: 'pass'; readonly delayMs?: number } | { readonly type: 'refuse' | 'hold' | 'hold_answers' | 'swallow' }

export class FaultProxy {
  readonly #server: Server
  readonly #target: () => number
  readonly #connections = new Set<Connection>()
  #mode: ProxyMode = { type: 'pass' }

  private constructor(server: Server, target: () => number) {
    this.#server = server
    this.#target = target
    server.on('connection', (client) => this.#join(client))
  }

  /** `target`: the port of the server, asked for at each connection. */
  static async start(target: () => number): Promise<FaultProxy> {
    // Half of a connection may be closed before the other.
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FaultProxy(server, target)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Of new connections and of those there are. */
  set(mode: ProxyMode): void {
    this.#mode = mode
    for (const connection of this.#connections) connection.set(mode)
  }

  /** Resets every connection; new ones are as the mode says. */
  cut(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }

  #join(client: Socket): void {
    if (this.#mode.type === 'refuse') return void client.resetAndDestroy()
    const connection = new Connection(client, connect({ port: this.#target(), host: '127.0.0.1', allowHalfOpen: true }), () => this.#connections.delete(connection))
    this.#connections.add(connection)
    connection.set(this.#mode)
  }
}

class Connection {
  readonly #client: Socket
  readonly #server: Socket
  readonly #directions: readonly Direction[]
  #lostBytes = false

  constructor(client: Socket, server: Socket, closed: () => void) {
    this.#client = client
    this.#server = server
    const swallowed = (): void => {
      this.#lostBytes = true
    }
    this.#directions = [new Direction(client, server, 'asks', swallowed), new Direction(server, client, 'answers', swallowed)]
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => {}).on('close', () => {
        this.destroy()
        closed()
      })
    }
  }

  set(mode: ProxyMode): void {
    if (mode.type === 'refuse' || (this.#lostBytes && mode.type !== 'swallow')) return this.destroy()
    for (const direction of this.#directions) direction.set(mode)
  }

  destroy(): void {
    for (const direction of this.#directions) direction.stop()
    if (!this.#client.destroyed) this.#client.resetAndDestroy()
    if (!this.#server.destroyed) this.#server.resetAndDestroy()
  }
}

/** From one socket to the other. */
class Direction {
  readonly #from: Socket
  readonly #to: Socket
  readonly #kind: 'asks' | 'answers'
  readonly #swallowed: () => void
  /** What was held back, in order: nothing may overtake it. */
  readonly #late: { readonly dueAt: number; readonly act: () => void }[] = []
  #timer: NodeJS.Timeout | undefined
  #mode: ProxyMode = { type: 'pass' }

  constructor(from: Socket, to: Socket, kind: 'asks' | 'answers', swallowed: () => void) {
    this.#from = from
    this.#to = to
    this.#kind = kind
    this.#swallowed = swallowed
    from.on('data', (bytes) => this.#take(bytes))
    from.on('end', () => this.#later(() => to.end()))
    to.on('drain', () => this.#flow())
  }

  set(mode: ProxyMode): void {
    this.#mode = mode
    this.#flow()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#late.length = 0
  }

  get #isHeld(): boolean {
    return this.#mode.type === 'hold' || (this.#mode.type === 'hold_answers' && this.#kind === 'answers')
  }

  #flow(): void {
    if (this.#isHeld) this.#from.pause()
    else if (!this.#to.writableNeedDrain) this.#from.resume()
  }

  #take(bytes: Buffer): void {
    if (this.#mode.type === 'swallow') return this.#swallowed()
    this.#later(() => {
      if (!this.#to.destroyed && !this.#to.write(bytes)) this.#from.pause()
    })
  }

  #later(act: () => void): void {
    const delayMs = this.#mode.type === 'pass' ? (this.#mode.delayMs ?? 0) : 0
    if (delayMs === 0 && this.#late.length === 0) return act()
    this.#late.push({ dueAt: performance.now() + delayMs, act })
    if (this.#late.length === 1) this.#wait()
  }

  #wait(): void {
    const [next] = this.#late
    if (next === undefined) return
    this.#timer = setTimeout(() => {
      this.#late.shift()
      next.act()
      this.#wait()
    }, Math.max(0, next.dueAt - performance.now()))
  }
}
