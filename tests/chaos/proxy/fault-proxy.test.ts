import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { FaultProxy } from './fault-proxy.ts'

/** A server that says back what it hears, behind a proxy. */
async function echo(t: Test): Promise<{ proxy: FaultProxy; dial: () => Promise<Client> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('data', (bytes) => socket.write(bytes))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await FaultProxy.start(() => (server.address() as AddressInfo).port)
  t.teardown(async () => {
    await proxy.stop()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    proxy,
    dial: async () => {
      const client = new Client(proxy.port)
      t.teardown(() => client.socket.destroy())
      await once(client.socket, 'connect')
      return client
    },
  }
}

class Client {
  readonly socket: Socket
  readonly closed: Promise<void>
  heard = ''
  #wake: () => void = () => {}

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()))
    this.socket.on('error', () => {}).on('data', (bytes) => {
      this.heard += bytes.toString()
      this.#wake()
    })
  }

  async hears(text: string): Promise<void> {
    while (!this.heard.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

const pass = { type: 'pass' } as const
const aMoment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60))

t.test('what is said passes both ways, later where it is told to, and in order', async (t) => {
  const { proxy, dial } = await echo(t)
  const client = await dial()
  client.socket.write('one')
  await client.hears('one')
  proxy.set({ type: 'pass', delayMs: 50 })
  const began = performance.now()
  client.socket.write('two')
  await client.hears('two')
  t.ok(performance.now() - began >= 95, 'once on the way there, once on the way back')
  client.socket.write('three')
  await aMoment()
  proxy.set(pass)
  client.socket.write('four')
  await client.hears('four')
  t.equal(client.heard, 'onetwothreefour')
})

t.test('a connection that is held loses nothing', async (t) => {
  const { proxy, dial } = await echo(t)
  const client = await dial()
  proxy.set({ type: 'hold' })
  client.socket.write('held')
  const late = await dial()
  late.socket.write('late')
  await aMoment()
  t.same([client.heard, late.heard], ['', ''])
  proxy.set(pass)
  await Promise.all([client.hears('held'), late.hears('late')])
})

t.test('a client that does not read is heard all the same', async (t) => {
  const { proxy, dial } = await echo(t)
  const client = await dial()
  proxy.set({ type: 'hold_answers' })
  client.socket.write('said')
  await aMoment()
  t.equal(client.heard, '')
  proxy.set(pass)
  await client.hears('said')
})

t.test('a half-open connection swallows what is said, and is reset in the end', async (t) => {
  const { proxy, dial } = await echo(t)
  const client = await dial()
  const idle = await dial()
  idle.socket.write('before')
  await idle.hears('before')
  proxy.set({ type: 'swallow' })
  client.socket.write('lost')
  await aMoment()
  t.equal(client.heard, '')
  t.notOk(client.socket.destroyed)
  proxy.set(pass)
  await client.closed
  idle.socket.write('after')
  await idle.hears('after')
})

t.test('connections are refused, or cut, and made again', async (t) => {
  const { proxy, dial } = await echo(t)
  const client = await dial()
  proxy.cut()
  await client.closed
  const next = await dial()
  proxy.set({ type: 'refuse' })
  await next.closed
  const refused = new Client(proxy.port)
  await refused.closed
  proxy.set(pass)
  const last = await dial()
  last.socket.write('here')
  await last.hears('here')
})
