/**
 * The backend behind Centrifugo, which passes clients' questions on to it as RPC: the engine is asked, and each of its tokens
 * is a publication on the client's channel. Keeps nothing. Its arguments are the addresses of the engine and of Centrifugo's API.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { Engine } from '../engine.ts'
import { Publisher } from './publisher.ts'

interface Rpc {
  readonly data: { readonly channel: string; readonly message: string }
}

const [engineUrl = '', api = ''] = process.argv.slice(2)
const engine = new Engine(engineUrl)
const fail = (error: unknown): void => void process.stderr.write(`${String(error)}\n`)
const publisher = new Publisher(api, fail)

const server = createServer((request, response) => {
  take(request).then(
    () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"result":{}}'),
    () => response.writeHead(400).end(),
  )
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${JSON.stringify({ ready: true, port: (server.address() as AddressInfo).port })}\n`))

/** Resolves once the question is understood; the reply goes its own way. */
async function take(request: IncomingMessage): Promise<void> {
  const { data } = (await json(request)) as Rpc
  const { channel, message } = data
  // Centrifugo does not tell who has gone: a reply is written to its end.
  const never = new AbortController().signal
  engine.reply(message, (token) => publisher.publish(channel, { token }), never).then(() => publisher.publish(channel, { done: true }), fail)
}
