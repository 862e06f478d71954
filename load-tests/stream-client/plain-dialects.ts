/** The dialects of peers that say no more than they must (../peers/peer.ts). */
import type { FramedDialect } from './framed-session.ts'
import { plainField } from './plain-field.ts'

interface Said {
  readonly token?: string
  readonly done?: boolean
}

/** `{"id":1,"token":"…"}`, then `{"id":1,"done":true}`. */
export class PlainWebSocket implements FramedDialect {
  readonly path = '/'
  #id = 0

  begin: FramedDialect['begin'] = (listener) => listener.ready()

  hear: FramedDialect['hear'] = (frame, listener) => {
    const token = plainField(frame, 'token')
    if (token !== null) return listener.text(token)
    const said = JSON.parse(frame) as Said
    if (said.token !== undefined) listener.text(said.token)
    else if (said.done === true) listener.end()
    else listener.fail(`neither a token nor the end: ${frame.slice(0, 200)}`)
  }

  ask: FramedDialect['ask'] = (message, listener) => listener.send(JSON.stringify({ id: (this.#id += 1), message }))
}

/** Engine.IO 4 over the WebSocket transport alone, and the main namespace of Socket.IO: `42["token",{…}]`. */
export class SocketIo implements FramedDialect {
  readonly path = '/socket.io/?EIO=4&transport=websocket'
  #id = 0

  begin: FramedDialect['begin'] = () => undefined

  hear: FramedDialect['hear'] = (frame, listener) => {
    if (frame.startsWith('42["token"')) {
      const [, said] = JSON.parse(frame.slice(2)) as [string, Said]
      listener.text(said.token ?? '')
    } else if (frame.startsWith('42["done"')) listener.end()
    else if (frame === '2') listener.send('3')
    else if (frame.startsWith('0')) listener.send('40')
    else if (frame.startsWith('40')) listener.ready()
    else listener.fail(`not what Socket.IO says here: ${frame.slice(0, 200)}`)
  }

  ask: FramedDialect['ask'] = (message, listener) => listener.send(`42${JSON.stringify(['message', { id: (this.#id += 1), message }])}`)
}

interface CentrifugoReply {
  readonly id?: number
  readonly error?: { readonly message: string }
  readonly push?: { readonly pub?: { readonly data: Said } }
}

const connectId = 1
const subscribeId = 2
const rpcId = 3

/** Centrifugo's JSON protocol: lines of JSON, several in a frame where they come together. */
export class Centrifugo implements FramedDialect {
  readonly path = '/connection/websocket'
  readonly #channel: string

  constructor(channel: string) {
    this.#channel = channel
  }

  begin: FramedDialect['begin'] = (listener) => listener.send(`{"id":${connectId},"connect":{}}`)

  hear: FramedDialect['hear'] = (frame, listener) => {
    for (const line of frame.split('\n')) {
      if (line === '{}') listener.send('{}')
      else if (line !== '') this.#take(JSON.parse(line) as CentrifugoReply, listener)
    }
  }

  ask: FramedDialect['ask'] = (message, listener) => listener.send(JSON.stringify({ id: rpcId, rpc: { method: 'chat', data: { channel: this.#channel, message } } }))

  #take({ id, error, push }: CentrifugoReply, listener: Parameters<FramedDialect['hear']>[1]): void {
    if (error !== undefined) listener.fail(error.message)
    else if (push?.pub?.data.token !== undefined) listener.text(push.pub.data.token)
    else if (push?.pub?.data.done === true) listener.end()
    else if (id === connectId) listener.send(JSON.stringify({ id: subscribeId, subscribe: { channel: this.#channel } }))
    else if (id === subscribeId) listener.ready()
  }
}
