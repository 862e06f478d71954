import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { newWorld } from '../../actors/testing/edges.ts'
import { startLiveEdge } from '../../server/testing/live-edge.ts'
import { launchChromium } from '../harness/chromium.ts'
import { startPostgres } from '../harness/postgres.ts'

/** Passes connections on to a port, and cuts them all on order. */
async function startCuttable(t: { teardown(handler: () => unknown): unknown }, port: number) {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream).pipe(client)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    server.close()
    cut()
  })
  return { url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`, cut }
}

t.test('an EventSource of a browser reads a reply to its end over a connection that breaks, and is then left in peace', async (t) => {
  const postgres = await startPostgres(t)
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world)
  const { url, cut } = await startCuttable(t, edge.edge.port)
  const bridge = world.bridge()
  const { stream_endpoint } = await (await edge.post('/stream-chat', { message: 'a story', user_id: 'ann' })).json()
  const run = await bridge.run()
  const browser = await launchChromium(t)
  // The answer that stands for a page here allows none of its own.
  const page = await browser.newPage({ bypassCSP: true })
  await page.goto(`${url}/health`)
  await page.evaluate((endpoint) => {
    const seen = { text: '', opened: 0, done: 0, state: () => source.readyState }
    const source = new EventSource(endpoint)
    source.onopen = () => (seen.opened += 1)
    source.onmessage = ({ data }) => {
      if (data === '[DONE]') seen.done += 1
      else seen.text += JSON.parse(data).token
    }
    Object.assign(globalThis, { seen })
  }, stream_endpoint)
  const seen = (what: string): Promise<unknown> => page.evaluate(what)
  const until = async (what: string): Promise<void> => {
    while (!(await seen(what))) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  run.say('Once upon ')
  await until('seen.text === "Once upon "')
  cut()
  run.say('a time ')
  await until('seen.text === "Once upon a time "')
  run.say('😀')
  await run.finish()
  // It comes back once more after the end, which it cannot know, and is told that there is nothing.
  await until('seen.state() === EventSource.CLOSED')
  t.same(await seen('[seen.text, seen.opened, seen.done]'), ['Once upon a time 😀', 2, 1])
})
