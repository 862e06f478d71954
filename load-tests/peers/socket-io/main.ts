/** A chat server of Socket.IO: a question is asked of the engine, and each of its tokens is an event. Keeps nothing. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server, type Socket } from 'socket.io'
import { Engine } from '../engine.ts'

const engine = new Engine(process.argv[2] ?? '')
const http = createServer()
const io = new Server(http, { transports: ['websocket'], serveClient: false })

// As its page on memory usage says: the request that opened a connection is kept otherwise.
io.engine.on('connection', (connection: { request: unknown }) => {
  connection.request = null
})
io.on('connection', (socket) => {
  const gone = new AbortController()
  socket.on('disconnect', () => gone.abort())
  socket.on('message', (question: { id: number; message: string }) => void answer(socket, question, gone.signal).catch(() => socket.disconnect(true)))
})
http.listen(0, '127.0.0.1', 16_384, () => process.stdout.write(`${JSON.stringify({ ready: true, port: (http.address() as AddressInfo).port })}\n`))

async function answer(socket: Socket, { id, message }: { id: number; message: string }, gone: AbortSignal): Promise<void> {
  await engine.reply(message, (token) => socket.emit('token', { id, token }), gone)
  socket.emit('done', { id })
}
