/**
 * A WebSocket client on a bare TCP socket: it can send what no library would, and stop reading. A frame it sends is
 * masked with zeros.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { decodeServerMessage, encodeCommand } from '../../protocol/websocket/codec.ts'
import type { ServerMessage } from '../../protocol/websocket/messages.ts'
import type { Subprotocol } from '../../protocol/websocket/subprotocols.ts'

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface Closed {
  /** 1006 where the connection ended without a close frame. */
  readonly code: number
  readonly reason: string
}

export interface TestSocketOptions {
  readonly port: number
  /** Subprotocols offered. */
  readonly protocols?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  /** Of the address, with its question mark. */
  readonly query?: string
}

interface Waiter {
  readonly wanted: (message: ServerMessage) => boolean
  readonly resolve: (message: ServerMessage) => void
  readonly reject: (error: Error) => void
}

/** Rejects with the status line where the server refuses. */
export async function openTestSocket({ port, protocols, headers = {}, query = '' }: TestSocketOptions): Promise<TestSocket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const lines = [
    `GET /ws${query} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ...(protocols === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocols.join(', ')}`]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  let received = Buffer.alloc(0)
  let end = -1
  while (end < 0) {
    const [chunk] = (await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [null])])) as [Buffer | null]
    if (chunk === null) throw new Error('the connection was closed during the handshake')
    received = Buffer.concat([received, chunk])
    end = received.indexOf('\r\n\r\n')
  }
  const head = received.subarray(0, end).toString()
  if (!head.startsWith('HTTP/1.1 101')) {
    socket.destroy()
    throw new Error(head.split('\r\n')[0])
  }
  const named = /^sec-websocket-protocol: (.+)$/im.exec(head)?.[1] ?? ''
  return new TestSocket(socket, named, received.subarray(end + 4))
}

export class TestSocket {
  /** As the server named it; empty where it named none. */
  readonly protocol: string
  /** Every message so far that nobody waited for. */
  readonly messages: ServerMessage[] = []
  readonly closed: Promise<Closed>
  readonly raw: net.Socket
  #waiters: Waiter[] = []
  #received: Buffer
  #close: Closed = { code: 1006, reason: '' }

  constructor(socket: net.Socket, protocol: string, received: Buffer) {
    this.raw = socket
    this.protocol = protocol
    this.#received = received
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const waiter of this.#waiters.splice(0)) waiter.reject(new Error(`the connection was closed: ${this.#close.code} ${this.#close.reason}`))
        resolve(this.#close)
      })
    })
    // A reset is a close as any other here.
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#read()
    })
    this.#read()
  }

  get #subprotocol(): Subprotocol {
    return this.protocol === 'chatterbot.v1.msgpack' ? this.protocol : 'chatterbot.v1.json'
  }

  /** A command, or what only looks like one. */
  send(command: object): void {
    const frame = encodeCommand(this.#subprotocol, command as never)
    this.sendFrame(typeof frame === 'string' ? opcodes.text : opcodes.binary, Buffer.from(frame))
  }

  sendFrame(opcode: number, payload: Buffer | string, final = true): void {
    const bytes = Buffer.from(payload)
    const length = bytes.length
    const head = length < 126 ? Buffer.from([0, 0x80 | length]) : length < 65_536 ? Buffer.from([0, 0x80 | 126, length >> 8, length & 255]) : Buffer.alloc(10)
    if (length >= 65_536) {
      head[1] = 0x80 | 127
      head.writeBigUInt64BE(BigInt(length), 2)
    }
    head[0] = (final ? 0x80 : 0) | opcode
    this.raw.write(Buffer.concat([head, Buffer.alloc(4), bytes]))
  }

  /** The next message, of those that came already or will come, that is wanted; it is taken out of `messages`. */
  next(wanted: (message: ServerMessage) => boolean = () => true): Promise<ServerMessage> {
    const index = this.messages.findIndex(wanted)
    if (index >= 0) return Promise.resolve(this.messages.splice(index, 1)[0] as ServerMessage)
    return new Promise((resolve, reject) => this.#waiters.push({ wanted, resolve, reject }))
  }

  /** Sends the command with a ref of its own, and resolves with the reply that echoes it. */
  ask(command: object): Promise<ServerMessage> {
    const ref = randomBytes(6).toString('hex')
    this.send({ ...command, ref })
    return this.next((message) => 'ref' in message && message.ref === ref)
  }

  async hello(userId?: string): Promise<ServerMessage> {
    return this.ask({ type: 'hello', ...(userId === undefined ? {} : { user_id: userId }) })
  }

  /** Answers no close frame and reads no more until `resume`. */
  pause(): void {
    this.raw.pause()
  }

  resume(): void {
    this.raw.resume()
  }

  /** As a client that goes away. */
  async leave(): Promise<void> {
    this.raw.destroy()
    await this.closed
  }

  #read(): void {
    for (;;) {
      const frame = readFrame(this.#received)
      if (frame === null) return
      this.#received = this.#received.subarray(frame.bytes)
      if (frame.opcode === opcodes.close) {
        this.#close = { code: frame.payload.length >= 2 ? frame.payload.readUInt16BE(0) : 1005, reason: frame.payload.subarray(2).toString() }
        if (!this.raw.destroyed) this.sendFrame(opcodes.close, frame.payload.subarray(0, 2))
        this.raw.end()
        return
      }
      if (frame.opcode === opcodes.ping) this.sendFrame(opcodes.pong, frame.payload)
      if (frame.opcode === opcodes.text || frame.opcode === opcodes.binary) this.#take(frame.opcode === opcodes.text ? frame.payload.toString() : frame.payload)
    }
  }

  #take(frame: string | Buffer): void {
    const message = decodeServerMessage(this.#subprotocol, frame)
    if (message === null) throw new Error(`not a message of the server: ${String(frame).slice(0, 200)}`)
    const index = this.#waiters.findIndex((waiter) => waiter.wanted(message))
    if (index < 0) this.messages.push(message)
    else this.#waiters.splice(index, 1)[0]?.resolve(message)
  }
}

/** The first complete frame; the server sends none in parts, and none masked. */
function readFrame(received: Buffer): { readonly opcode: number; readonly payload: Buffer; readonly bytes: number } | null {
  if (received.length < 2) return null
  const short = (received[1] as number) & 127
  const headBytes = short < 126 ? 2 : short === 126 ? 4 : 10
  if (received.length < headBytes) return null
  const length = short < 126 ? short : short === 126 ? received.readUInt16BE(2) : Number(received.readBigUInt64BE(2))
  if (received.length < headBytes + length) return null
  return { opcode: (received[0] as number) & 15, payload: received.subarray(headBytes, headBytes + length), bytes: headBytes + length }
}
