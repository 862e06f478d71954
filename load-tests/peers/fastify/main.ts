/** A chat server of Fastify: a question is asked of the engine, and each of its tokens is a Server-Sent Event. Keeps nothing. */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { Engine } from '../engine.ts'

const engine = new Engine(process.argv[2] ?? '')
const app = fastify({ logger: false })
const body = { type: 'object', required: ['message'], properties: { message: { type: 'string' } } }

app.post<{ Body: { message: string } }>('/chat', { schema: { body } }, async (request, reply) => {
  const gone = new AbortController()
  reply.hijack()
  const { raw } = reply
  raw.on('close', () => gone.abort())
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  try {
    await engine.reply(request.body.message, (token) => raw.write(`data: ${JSON.stringify({ token })}\n\n`), gone.signal)
    raw.end('data: [DONE]\n\n')
  } catch {
    raw.destroy()
  }
})

await app.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 })
process.stdout.write(`${JSON.stringify({ ready: true, port: (app.server.address() as AddressInfo).port })}\n`)
