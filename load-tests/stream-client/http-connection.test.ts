import net from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { HttpConnection } from './http-connection.ts'
import { SseData } from './sse-data.ts'
import { loopback } from './wire.ts'

/** Answers every request with these bytes, cut at these places. */
async function answering(pieces: readonly string[]): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('data', () => {
      void (async () => {
        for (const piece of pieces) {
          socket.write(piece)
          await new Promise((resolve) => setImmediate(resolve))
        }
      })()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port

t.test('wherever the bytes of an answer are cut, its events are read whole and in order, and the connection serves again', async (t) => {
  const events = ['one', 'two', '[DONE]']
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(fc.nat(200), { maxLength: 6 }), async (isChunked, cuts) => {
      const body = events.map((event) => `id: 1:${event.length}\r\ndata: ${event}\n\n`)
      const sent = isChunked
        ? `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('')}0\r\n\r\n`
        : `HTTP/1.1 200 OK\r\nContent-Length: ${body.join('').length}\r\n\r\n${body.join('')}`
      const places = [0, ...cuts.map((cut) => Math.min(cut, sent.length)), sent.length].toSorted((a, b) => a - b)
      const server = await answering(places.slice(1).map((place, index) => sent.slice(places[index], place)))
      const connection = await HttpConnection.open(loopback(portOf(server)))
      for (let round = 0; round < 2; round += 1) {
        const heard: string[] = []
        const data = new SseData((event) => heard.push(event))
        const { status } = await connection.request({ method: 'GET', path: '/' }, (piece) => data.read(piece))
        t.same([status, heard], [200, events])
      }
      connection.leave()
      await new Promise((resolve) => server.close(resolve))
    }),
    { numRuns: 40 },
  )
})

t.test('an answer that is cut off, or is no success, is a failure', async (t) => {
  const refusing = await answering(['HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy'])
  const connection = await HttpConnection.open(loopback(portOf(refusing)))
  await t.rejects(connection.json({ method: 'POST', path: '/chat', body: {} }), { message: 'POST /chat: 503 busy' })
  connection.leave()
  const halting = await answering(['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'])
  const other = await HttpConnection.open(loopback(portOf(halting)))
  await t.rejects(other.request({ method: 'GET', path: '/' }, () => other.leave()), { message: 'the connection was closed' })
  await t.rejects(other.json({ method: 'GET', path: '/' }), { message: 'the connection was closed' })
  const third = await HttpConnection.open(loopback(portOf(halting)))
  const refuse = (): never => {
    throw new Error('no such event')
  }
  await t.rejects(third.request({ method: 'GET', path: '/' }, refuse), { message: 'no such event' })
  await Promise.all([refusing, halting].map((server) => new Promise((resolve) => server.close(resolve))))
})
