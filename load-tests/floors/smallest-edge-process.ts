/**
 * The edge of smallest-pipeline.ts: questions from WebSockets to NATS, and from each batch that comes back a frame a reply.
 * Its argument is an EdgeSettings, as JSON.
 */
import { connect, createInbox } from '@nats-io/transport-node'
import type { WebSocket } from 'uWebSockets.js'
import { serve } from './plain-server.ts'
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

serve<Person>({
  person: () => ({ replies: new Set() }),
  ask: (socket, id, message) => {
    lastReply += 1
    underWay.set(lastReply, { id, socket })
    socket.getUserData().replies.add(lastReply)
    nats.publish(jobsSubject, JSON.stringify({ edge, reply: lastReply, message } satisfies Job))
  },
  gone: ({ replies }) => {
    for (const reply of replies) underWay.delete(reply)
  },
})
