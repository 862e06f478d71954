/**
 * The edge of smallest-pipeline.ts: questions from WebSockets to NATS, and from each batch that comes back a frame a reply.
 * Its argument is an EdgeSettings, as JSON.
 */
import { connect, createInbox } from '@nats-io/transport-node'
import uWS, { type WebSocket } from 'uWebSockets.js'
import { endOfReply, jobsSubject, type EdgeSettings, type Job } from './smallest-messages.ts'

interface Asked {
  readonly id: number
  readonly socket: WebSocket<Person>
}

interface Person {
  readonly replies: Set<number>
}

const settings = JSON.parse(process.argv[2] ?? '{}') as EdgeSettings
const nats = await connect({ servers: settings.natsUrl })
const edge = createInbox()
const underWay = new Map<number, Asked>()
let lastReply = 0

function send(reply: number, text: string): void {
  const asked = underWay.get(reply)
  if (asked === undefined) return
  const isOver = text.endsWith(endOfReply)
  const said = isOver ? text.slice(0, -endOfReply.length) : text
  if (said !== '') asked.socket.send(`{"id":${asked.id},"token":"${said}"}`)
  if (!isOver) return
  underWay.delete(reply)
  asked.socket.getUserData().replies.delete(reply)
  asked.socket.send(`{"id":${asked.id},"done":true}`)
}

nats.subscribe(edge, {
  callback: (_, message) => {
    const batch = message.string()
    for (let at = 0; at < batch.length; ) {
      const space = batch.indexOf(' ', at)
      const end = batch.indexOf('\n', space)
      send(Number(batch.slice(at, space)), batch.slice(space + 1, end))
      at = end + 1
    }
  },
})
await nats.flush()

uWS
  .App()
  .ws<Person>('/*', {
    compression: uWS.DISABLED,
    maxBackpressure: 1024 * 1024,
    upgrade: (res, req, context) => {
      const key = req.getHeader('sec-websocket-key')
      res.upgrade<Person>({ replies: new Set() }, key, req.getHeader('sec-websocket-protocol'), req.getHeader('sec-websocket-extensions'), context)
    },
    message: (socket, data) => {
      const { id, message } = JSON.parse(Buffer.from(data).toString()) as { id: number; message: string }
      lastReply += 1
      underWay.set(lastReply, { id, socket })
      socket.getUserData().replies.add(lastReply)
      nats.publish(jobsSubject, JSON.stringify({ edge, reply: lastReply, message } satisfies Job))
    },
    close: (socket) => {
      for (const reply of socket.getUserData().replies) underWay.delete(reply)
    },
  })
  .listen('127.0.0.1', 0, (listening) => {
    if (listening === false) throw new Error('no port could be had')
    process.stdout.write(`${JSON.stringify({ ready: true, port: uWS.us_socket_local_port(listening) })}\n`)
  })
