/** The process of raw-uwebsockets.ts. Its argument is the pace, as JSON; it says in a line of JSON when it is ready. */
import uWS from 'uWebSockets.js'
import { TokensInPlace, type Pace } from './tokens-in-place.ts'

interface Person {
  halt: () => void
}

const tokens = new TokensInPlace(JSON.parse(process.argv[2] ?? '{}') as Pace)

uWS
  .App()
  .ws<Person>('/*', {
    compression: uWS.DISABLED,
    maxBackpressure: 1024 * 1024,
    upgrade: (res, req, context) => {
      const key = req.getHeader('sec-websocket-key')
      res.upgrade<Person>({ halt: () => undefined }, key, req.getHeader('sec-websocket-protocol'), req.getHeader('sec-websocket-extensions'), context)
    },
    message: (socket, data) => {
      const { id, message } = JSON.parse(Buffer.from(data).toString()) as { id: number; message: string }
      socket.getUserData().halt = tokens.begin(
        message,
        (text) => socket.send(`{"id":${id},"token":${JSON.stringify(text)}}`),
        () => socket.send(`{"id":${id},"done":true}`),
      )
    },
    close: (socket) => socket.getUserData().halt(),
  })
  .listen('127.0.0.1', 0, (listening) => {
    if (listening === false) throw new Error('no port could be had')
    process.stdout.write(`${JSON.stringify({ ready: true, port: uWS.us_socket_local_port(listening) })}\n`)
  })
