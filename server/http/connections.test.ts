import { once } from 'node:events'
import net from 'node:net'
import t, { type Test } from 'tap'
import uWS from 'uWebSockets.js'
import { startTestEdge } from '../testing/test-edge.ts'
import { listen } from '../listener.ts'
import { ClientAddresses } from './client-address.ts'
import { Connections } from './connections.ts'

async function serve(t: Test, limits: { readonly most: number; readonly mostNewPerAddress: number; readonly trusted?: readonly string[] }): Promise<{ readonly connections: Connections; readonly connect: () => Promise<net.Socket>; readonly pass: (ms: number) => void }> {
  const app = uWS.App().any('/*', (res) => void res.end('here'))
  let now = 0
  const addresses = new ClientAddresses({ trusted: limits.trusted ?? [], header: 'x-forwarded-for' })
  const connections = new Connections({ ...limits, addresses, monotonic: () => now })
  connections.watch(app)
  const { port } = await listen(app, { host: '127.0.0.1', port: 0, isShared: false })
  t.teardown(() => app.close())
  const connect = async (): Promise<net.Socket> => {
    const socket = net.connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  return { connections, connect, pass: (ms) => (now += ms) }
}

async function isServed(socket: net.Socket): Promise<boolean> {
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  return (await Promise.race([once(socket, 'data').then(() => 'data'), once(socket, 'close').then(() => 'close')])) === 'data'
}

t.test('beyond the most, connections end at once, until others have gone', async (t) => {
  const { connections, connect } = await serve(t, { most: 4, mostNewPerAddress: 100 })
  const sockets: net.Socket[] = []
  for (let n = 0; n < 4; n++) sockets.push(await connect())
  for (const socket of sockets) t.ok(await isServed(socket))
  t.notOk(await isServed(await connect()))
  t.equal(connections.refused, 1)
  t.equal(connections.open, 4)
  sockets[0]?.destroy()
  while (connections.open > 3) await new Promise(setImmediate)
  t.ok(await isServed(await connect()))
})

t.test('once half of the places are taken, an address that opened many gets no more of them for a while', async (t) => {
  const { connect, pass } = await serve(t, { most: 8, mostNewPerAddress: 2 })
  for (let n = 0; n < 4; n++) t.ok(await isServed(await connect()))
  t.notOk(await isServed(await connect()))
  pass(10_000)
  t.ok(await isServed(await connect()))
  const proxied = await serve(t, { most: 8, mostNewPerAddress: 2, trusted: ['127.0.0.1'] })
  for (let n = 0; n < 8; n++) t.ok(await isServed(await proxied.connect()), 'of a proxy\'s, nobody knows whose they are')
})

t.test('what has become a WebSocket is counted elsewhere', async (t) => {
  const { edge, join, metric } = await startTestEdge(t, { maxConnections: 2 })
  await join()
  await join()
  t.equal(await metric('chatterbot_http_connections'), 0)
  const idle = [net.connect(edge.port, '127.0.0.1'), net.connect(edge.port, '127.0.0.1')]
  for (const socket of idle) t.ok(await isServed(socket))
  const over = net.connect(edge.port, '127.0.0.1')
  over.on('error', () => {})
  t.notOk(await isServed(over))
  for (const socket of idle) socket.destroy()
})
