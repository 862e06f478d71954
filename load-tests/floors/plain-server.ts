/** A server of the plain WebSocket dialect (../peers/peer.ts) on a free port; it says in a line of JSON when it is ready. */
import uWS, { type WebSocket } from 'uWebSockets.js'

export interface PlainServer<Person> {
  /** Somebody connects. */
  readonly person: () => Person
  readonly ask: (socket: WebSocket<Person>, id: number, message: string) => void
  readonly gone: (person: Person) => void
}

export function serve<Person>({ person, ask, gone }: PlainServer<Person>): void {
  uWS
    .App()
    .ws<Person>('/*', {
      compression: uWS.DISABLED,
      maxBackpressure: 1024 * 1024,
      upgrade: (res, req, context) => {
        const key = req.getHeader('sec-websocket-key')
        res.upgrade<Person>(person(), key, req.getHeader('sec-websocket-protocol'), req.getHeader('sec-websocket-extensions'), context)
      },
      message: (socket, data) => {
        const { id, message } = JSON.parse(Buffer.from(data).toString()) as { id: number; message: string }
        ask(socket, id, message)
      },
      close: (socket) => gone(socket.getUserData()),
    })
    .listen('127.0.0.1', 0, (listening) => {
      if (listening === false) throw new Error('no port could be had')
      process.stdout.write(`${JSON.stringify({ ready: true, port: uWS.us_socket_local_port(listening) })}\n`)
    })
}
