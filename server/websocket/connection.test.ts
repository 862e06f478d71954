import t from 'tap'
import type { WebSocket } from 'uWebSockets.js'
import type { ServerMessage } from '../../protocol/websocket/messages.ts'
import { Connection } from './connection.ts'

const turnEnd = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
const load = (depth: number): ServerMessage => ({ type: 'server.load', level: 'normal', queue_depth: depth, eta_ms: 0, advice: 'stream' })
const depthsOf = (frames: readonly string[]): (number | string)[] => frames.map((frame) => (frame.startsWith('{') ? (JSON.parse(frame) as { queue_depth: number }).queue_depth : frame))

/** A socket that notes what leaves with each write. */
class Socket {
  readonly writes: string[][] = []
  unsent = 0
  ended = false
  #corked: string[] | null = null

  send(frame: string): number {
    if (this.#corked !== null) this.#corked.push(frame)
    else this.writes.push([frame])
    return this.unsent > 0 ? 0 : 1
  }

  cork(work: () => void): void {
    const outer = this.#corked
    this.#corked ??= []
    work()
    if (outer === null && this.#corked.length > 0) this.writes.push(this.#corked)
    this.#corked = outer
  }

  getBufferedAmount(): number {
    return this.unsent
  }

  end(): void {
    this.ended = true
  }

  get shown(): (number | string)[][] {
    return this.writes.map(depthsOf)
  }
}

function connect(): { readonly socket: Socket; readonly connection: Connection; readonly blocked: () => number } {
  const socket = new Socket()
  let blocked = 0
  const owner = { monotonic: () => 0, blocked: () => (blocked += 1), unblocked: () => undefined, sentFrame: () => undefined }
  return { socket, connection: new Connection(socket as unknown as WebSocket<unknown>, 'chatterbot.v1.json', owner), blocked: () => blocked }
}

t.test('a reply leaves with what is sent after it in the same turn of the event loop, and before it', async (t) => {
  const { socket, connection } = connect()
  connection.reply(load(1))
  connection.send('event')
  connection.send('another')
  t.same(socket.shown, [[1, 'event'], ['another']])
  connection.reply(load(2))
  connection.cork(() => {
    connection.send('text')
    connection.reply(load(3))
    connection.send('end')
  })
  t.same(socket.shown[2], [2, 'text', 3, 'end'])
  await turnEnd()
  t.equal(socket.writes.length, 3)
})

t.test('a reply that nothing follows leaves when the turn of the event loop ends', async (t) => {
  const { socket, connection } = connect()
  const sent: number[] = []
  for (const n of [1, 2]) connection.reply(load(n), () => sent.push(n))
  t.same(socket.writes, [])
  await turnEnd()
  t.same(socket.shown, [[1], [2]])
  t.same(sent, [1, 2])
})

t.test('a connection that is closed by its server has sent its replies, and one that is gone sends none', async (t) => {
  const { socket, connection } = connect()
  connection.reply(load(1))
  connection.close(1012, 'restart')
  t.same(socket.shown, [[1]])
  t.ok(socket.ended)
  const other = connect()
  other.connection.reply(load(1))
  other.connection.closed()
  await turnEnd()
  t.same(other.socket.writes, [])
})

t.test('of many replies no more are written than the network takes, with events as without', async (t) => {
  const { socket, connection, blocked } = connect()
  for (const n of [1, 2, 3]) connection.reply(load(n))
  socket.unsent = 100
  connection.send('event')
  t.same(socket.shown, [[1], ['event']])
  t.equal(blocked(), 1)
  await turnEnd()
  t.equal(socket.writes.length, 2)
  socket.unsent = 0
  connection.drained()
  await turnEnd()
  t.same(socket.shown.slice(2), [[2], [3]])
})
