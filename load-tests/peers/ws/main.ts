/** A chat server of `ws`: a question is asked of the engine, and each of its tokens is a frame. Keeps nothing. */
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { Engine } from '../engine.ts'

const engine = new Engine(process.argv[2] ?? '')
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, backlog: 16_384, perMessageDeflate: false })

server.on('listening', () => process.stdout.write(`${JSON.stringify({ ready: true, port: (server.address() as AddressInfo).port })}\n`))
server.on('connection', (socket) => {
  const gone = new AbortController()
  socket.on('close', () => gone.abort())
  socket.on('error', () => socket.terminate())
  socket.on('message', (data: Buffer) => void answer(socket, data.toString(), gone.signal).catch(() => socket.terminate()))
})

async function answer(socket: WebSocket, question: string, gone: AbortSignal): Promise<void> {
  const { id, message } = JSON.parse(question) as { id: number; message: string }
  await engine.reply(message, (token) => socket.send(JSON.stringify({ id, token })), gone)
  socket.send(JSON.stringify({ id, done: true }))
}
