/**
 * An HTTP/1.1 connection that costs little, as it shares the machine with what it measures: one request at a time on a bare
 * TCP socket, kept open between them. Bodies by length or in chunks; nothing else that HTTP has.
 */
import type net from 'node:net'
import { connect, type Server } from './wire.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
}

export interface HttpHead {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
}

interface Exchange {
  readonly onBody: (piece: Buffer) => void
  readonly resolve: (head: HttpHead) => void
  readonly reject: (error: Error) => void
  head: HttpHead | null
  /** Of the body, or of the chunk that is being read; null: no chunk is. */
  left: number | null
}

const lineEnd = '\r\n'
const headEnd = '\r\n\r\n'
const nothing = Buffer.alloc(0)

export class HttpConnection {
  readonly #server: Server
  #socket: net.Socket | null = null
  #exchange: Exchange | null = null
  #received: Buffer = nothing
  #isClosed = false

  private constructor(server: Server) {
    this.#server = server
  }

  static async open(server: Server): Promise<HttpConnection> {
    const connection = new HttpConnection(server)
    const socket = await connect(server, (bytes) => connection.#take(bytes))
    connection.#socket = socket
    socket.once('close', () => {
      connection.#isClosed = true
      connection.#exchange?.reject(new Error('the connection was closed'))
    })
    return connection
  }

  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Hands on the body as it comes, in pieces that stand only until `onBody` returns; resolves with the head once all of it has come. Rejects where the connection ends before, or `onBody` throws. */
  request({ method, path, body }: HttpRequest, onBody: (piece: Buffer) => void): Promise<HttpHead> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed || this.#exchange !== null) return reject(new Error(this.#isClosed ? 'the connection was closed' : 'another request is under way'))
      this.#exchange = { onBody, resolve, reject, head: null, left: null }
      const json = body === undefined ? '' : JSON.stringify(body)
      const about = body === undefined ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n`
      const { host, port, apiKey } = this.#server
      const who = apiKey === null ? '' : `authorization: Bearer ${apiKey}\r\n`
      this.#socket?.write(`${method} ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\n${who}${about}\r\n${json}`)
    })
  }

  /** The answer's body, which is JSON. Rejects for any status but 2xx. */
  async json(request: HttpRequest): Promise<unknown> {
    const pieces: Buffer[] = []
    const { status } = await this.request(request, (piece) => pieces.push(Buffer.from(piece)))
    const text = Buffer.concat(pieces).toString()
    if (status < 200 || status > 299) throw new Error(`${request.method} ${request.path}: ${status} ${text.slice(0, 200)}`)
    return JSON.parse(text)
  }

  leave(): void {
    this.#socket?.destroy()
  }

  #take(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes])
    try {
      this.#read()
    } catch (error) {
      this.#exchange?.reject(error as Error)
      this.leave()
    }
    // What was handed over is overwritten by the next read.
    this.#received = this.#received.length === 0 ? nothing : Buffer.from(this.#received)
  }

  #read(): void {
    for (let exchange = this.#exchange; exchange !== null && this.#step(exchange); exchange = this.#exchange);
  }

  /** False: more has to come first. */
  #step(exchange: Exchange): boolean {
    if (exchange.head === null) return this.#readHead(exchange)
    if (exchange.left === null) return this.#readChunkHead(exchange)
    const isChunk = exchange.head.headers.get('transfer-encoding') === 'chunked'
    if (exchange.left > 0) {
      if (this.#received.length === 0) return false
      const piece = this.#received.subarray(0, exchange.left)
      this.#received = this.#received.subarray(piece.length)
      exchange.left -= piece.length
      exchange.onBody(piece)
      return true
    }
    if (!isChunk) return this.#end(exchange, exchange.head)
    if (this.#received.length < lineEnd.length) return false
    this.#received = this.#received.subarray(lineEnd.length)
    exchange.left = null
    return true
  }

  #readHead(exchange: Exchange): boolean {
    const end = this.#received.indexOf(headEnd)
    if (end < 0) return false
    const [first = '', ...lines] = this.#received.toString('latin1', 0, end).split(lineEnd)
    this.#received = this.#received.subarray(end + headEnd.length)
    const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
    exchange.head = { status: Number(first.split(' ')[1]), headers }
    exchange.left = headers.get('transfer-encoding') === 'chunked' ? null : Number(headers.get('content-length') ?? 0)
    return true
  }

  #readChunkHead(exchange: Exchange): boolean {
    const end = this.#received.indexOf(lineEnd)
    if (end < 0) return false
    const size = Number.parseInt(this.#received.toString('latin1', 0, end), 16)
    if (size > 0) {
      this.#received = this.#received.subarray(end + lineEnd.length)
      exchange.left = size
      return true
    }
    // The last one; there are no trailers.
    if (this.#received.length < end + headEnd.length) return false
    this.#received = this.#received.subarray(end + headEnd.length)
    return this.#end(exchange, exchange.head as HttpHead)
  }

  #end(exchange: Exchange, head: HttpHead): boolean {
    this.#exchange = null
    exchange.resolve(head)
    return false
  }
}
