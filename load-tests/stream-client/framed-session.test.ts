import { once } from 'node:events'
import net from 'node:net'
import t, { type Test } from 'tap'
import { openFramed } from './framed-session.ts'
import { PlainWebSocket, SocketIo } from './plain-dialects.ts'
import { loopback } from './wire.ts'

const upgraded = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'

function served(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)])
}

/** A server of one connection; `answers[n]` is written when something comes for the nth time, and null closes it. */
async function answering(t: Test, answers: readonly (Buffer | null)[]): Promise<number> {
  const server = net.createServer((socket) => {
    const left = [...answers]
    socket.on('error', () => undefined)
    socket.on('data', () => {
      const answer = left.shift()
      if (answer === null) socket.destroy()
      else if (answer !== undefined) socket.write(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as net.AddressInfo).port
}

t.test('what comes in one piece with the answer to the handshake is heard', async (t) => {
  const port = await answering(t, [Buffer.concat([Buffer.from(upgraded), served('0{}'), served('40{}')])])
  const session = await openFramed(new SocketIo(), loopback(port))
  session.leave()
})

t.test('whoever refuses, breaks off or is gone is a failure, at once', async (t) => {
  await t.rejects(openFramed(new PlainWebSocket(), loopback(await answering(t, [Buffer.from('HTTP/1.1 404 Not Found\r\n\r\n')]))), { message: 'HTTP/1.1 404 Not Found' })
  await t.rejects(openFramed(new PlainWebSocket(), loopback(await answering(t, [null]))), { message: 'the connection was closed' })
  const session = await openFramed(new PlainWebSocket(), loopback(await answering(t, [Buffer.from(upgraded), null])))
  await t.rejects(session.ask('why?', () => undefined), { message: 'the connection was closed' })
  await t.rejects(session.ask('why?', () => undefined), { message: 'the connection was closed' })
})
