/** A WebSocket that costs little: text frames, pings answered, nothing else. */
import { randomBytes } from 'node:crypto'
import type net from 'node:net'
import { connect, type Server } from './wire.ts'
import { FrameReader, frameOf, opcode } from './websocket-frames.ts'

const headEnd = '\r\n\r\n'

export class WebSocketConnection {
  #onText: (text: string) => void = (text) => this.#early.push(text)
  #onClosed: (error: Error) => void = (error) => (this.#closedEarly = error)
  /** What came with the answer to the handshake, or soon after. */
  readonly #early: string[] = []
  #closedEarly: Error | null = null
  readonly #frames = new FrameReader((code, payload) => this.#take(code, payload))
  #socket: net.Socket | null = null
  #head = ''
  #upgraded: ((error?: Error) => void) | null = null

  private constructor() {
    // Made by `open`.
  }

  /** Rejects where the server refuses. */
  static async open(server: Server, path: string, subprotocol?: string): Promise<WebSocketConnection> {
    const connection = new WebSocketConnection()
    const socket = await connect(server, (bytes) => connection.#read(bytes))
    connection.#socket = socket
    await new Promise<void>((resolve, reject) => {
      connection.#upgraded = (error) => (error === undefined ? resolve() : reject(error))
      socket.once('close', () => connection.#closed(new Error('the connection was closed')))
      const about = `${subprotocol === undefined ? '' : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`}${server.apiKey === null ? '' : `Authorization: Bearer ${server.apiKey}\r\n`}`
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: ${server.host}:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
          `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${about}\r\n`,
      )
    })
    return connection
  }

  /** `onClosed` is told the reason. What has come by now is handed over at once. */
  listen(onText: (text: string) => void, onClosed: (error: Error) => void): void {
    this.#onText = onText
    this.#onClosed = onClosed
    for (const text of this.#early.splice(0)) onText(text)
    if (this.#closedEarly !== null) onClosed(this.#closedEarly)
  }

  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0
  }

  send(text: string): void {
    this.#socket?.write(frameOf(opcode.text, Buffer.from(text)))
  }

  leave(): void {
    this.#socket?.destroy()
  }

  #closed(error: Error): void {
    const upgraded = this.#upgraded
    this.#upgraded = null
    if (upgraded !== null) upgraded(error)
    else this.#onClosed(error)
  }

  #read(bytes: Buffer): void {
    try {
      this.#frames.read(this.#upgraded === null ? bytes : this.#readHead(bytes))
    } catch (error) {
      this.#closed(error as Error)
      this.leave()
    }
  }

  /** What follows the head. */
  #readHead(bytes: Buffer): Buffer {
    const before = this.#head.length
    this.#head += bytes.toString('latin1')
    const end = this.#head.indexOf(headEnd)
    if (end < 0) return bytes.subarray(bytes.length)
    if (!this.#head.startsWith('HTTP/1.1 101')) throw new Error(this.#head.split('\r\n')[0])
    const upgraded = this.#upgraded
    this.#upgraded = null
    upgraded?.()
    return bytes.subarray(end + headEnd.length - before)
  }

  #take(code: number, payload: Buffer): void {
    if (code === opcode.text) this.#onText(payload.toString())
    else if (code === opcode.ping) this.#socket?.write(frameOf(opcode.pong, payload))
    else if (code === opcode.close) this.#socket?.end()
    else throw new Error(`a frame of kind ${code}`)
  }
}
