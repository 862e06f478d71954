/**
 * A client that costs little, as it shares the machine with what it measures: JSON frames on a bare TCP socket, no
 * reconnects, no copies of conversations. Frames it sends are masked with zeros.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import type { Command, ServerMessage } from '../../../protocol/websocket/messages.ts'

const text = 1
const close = 8
const ping = 9
const pong = 10

/** A command without its ref. */
type Ask = Command extends infer Each ? (Each extends Command ? Omit<Each, 'ref'> : never) : never
type Reply = Extract<ServerMessage, { ref?: unknown }>

interface Waiter {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
}

export class LeanSocket {
  readonly userId: string
  /** The edge that answers. */
  node = ''
  /** What is no reply. */
  onEvent: (event: ServerMessage) => void = () => undefined
  onClosed: () => void = () => undefined
  readonly #socket: net.Socket
  readonly #waiters = new Map<number, Waiter>()
  #received: Buffer = Buffer.alloc(0)
  #nextRef = 1

  private constructor(socket: net.Socket, userId: string) {
    this.#socket = socket
    this.userId = userId
  }

  /** Rejects where the server refuses. */
  static async open(port: number, userId: string): Promise<LeanSocket> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Protocol: chatterbot.v1.json\r\n\r\n`,
    )
    const client = new LeanSocket(socket, userId)
    await client.#handshake()
    const welcome = await client.ask({ type: 'hello', user_id: userId })
    if (welcome.type === 'welcome') client.node = welcome.node_id
    return client
  }

  /** Resolves with the reply; rejects where that is an error, or the connection ends before. */
  ask(command: Ask): Promise<Reply> {
    const ref = this.#nextRef++
    return new Promise((resolve, reject) => {
      this.#waiters.set(ref, { resolve, reject })
      this.#send(text, Buffer.from(JSON.stringify({ ...command, ref })))
    })
  }

  leave(): void {
    this.#socket.destroy()
  }

  async #handshake(): Promise<void> {
    for (;;) {
      const [chunk] = (await Promise.race([once(this.#socket, 'data'), once(this.#socket, 'close').then(() => [null])])) as [Buffer | null]
      if (chunk === null) throw new Error('the connection was closed during the handshake')
      this.#received = Buffer.concat([this.#received, chunk])
      const end = this.#received.indexOf('\r\n\r\n')
      if (end < 0) continue
      const head = this.#received.subarray(0, end).toString('latin1')
      if (!head.startsWith('HTTP/1.1 101')) throw new Error(head.split('\r\n')[0])
      this.#received = this.#received.subarray(end + 4)
      break
    }
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
      this.#read()
    })
    this.#socket.on('error', () => undefined)
    this.#socket.once('close', () => {
      for (const waiter of this.#waiters.values()) waiter.reject(new Error('the connection was closed'))
      this.#waiters.clear()
      this.onClosed()
    })
  }

  #read(): void {
    const bytes = this.#received
    let at = 0
    for (;;) {
      if (bytes.length < at + 2) break
      const short = (bytes[at + 1] as number) & 127
      const head = short < 126 ? 2 : short === 126 ? 4 : 10
      if (bytes.length < at + head) break
      const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
      const end = at + head + length
      if (bytes.length < end) break
      const opcode = (bytes[at] as number) & 15
      if (opcode === text) this.#take(JSON.parse(bytes.toString('utf8', at + head, end)) as ServerMessage)
      else if (opcode === ping) this.#send(pong, bytes.subarray(at + head, end))
      else if (opcode === close) this.#socket.end()
      at = end
    }
    this.#received = bytes.subarray(at)
  }

  #take(message: ServerMessage): void {
    const ref = 'ref' in message ? Number(message.ref) : Number.NaN
    const waiter = this.#waiters.get(ref)
    if (waiter === undefined) return this.onEvent(message)
    this.#waiters.delete(ref)
    if (message.type === 'error') waiter.reject(new Error(`${message.code}: ${message.message}`))
    else waiter.resolve(message as Reply)
  }

  #send(opcode: number, payload: Uint8Array): void {
    const { length } = payload
    const frame = Buffer.alloc((length < 126 ? 6 : 8) + length)
    frame[0] = 0x80 | opcode
    if (length < 126) frame[1] = 0x80 | length
    else {
      frame[1] = 0x80 | 126
      frame.writeUInt16BE(length, 2)
    }
    frame.set(payload, frame.length - length)
    this.#socket.write(frame)
  }
}
