/** One question asked of a peer in its dialect, by ordinary clients: not by the lean one that measures, which may err. */
import { WebSocket } from 'undici'
import { SseData } from '../../stream-client/sse-data.ts'
import type { Dialect } from '../../stream-client/dialect.ts'

type Ask = (port: number, message: string) => Promise<readonly string[]>

/** Resolves with the tokens of the reply once it has ended. */
export const askOnce: Readonly<Record<Exclude<Dialect, 'chatterbot'>, Ask>> = {
  websocket: (port, message) =>
    overWebSocket(`ws://127.0.0.1:${port}/`, (frame, say, hear, end) => {
      if (frame === null) return say(JSON.stringify({ id: 7, message }))
      const { id, token, done } = JSON.parse(frame) as { id: number; token?: string; done?: boolean }
      if (id !== 7) return
      if (done) end()
      else if (token !== undefined) hear(token)
    }),
  // Engine.IO's 0 (open), 2 (ping) and 4 (message), and within that Socket.IO's 0 (connect) and 2 (event).
  'socket.io': (port, message) =>
    overWebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, (frame, say, hear, end) => {
      if (frame?.startsWith('0')) say('40')
      else if (frame?.startsWith('40')) say(`42${JSON.stringify(['message', { id: 7, message }])}`)
      else if (frame?.startsWith('42')) {
        const [event, { id, token }] = JSON.parse(frame.slice(2)) as [string, { id: number; token: string }]
        if (id !== 7) return
        if (event === 'done') end()
        else hear(token)
      }
    }),
  centrifugo: (port, message) =>
    overWebSocket(`ws://127.0.0.1:${port}/connection/websocket`, (frame, say, hear, end) => {
      if (frame === null) return say('{"id":1,"connect":{}}')
      for (const line of frame.split('\n')) {
        const reply = JSON.parse(line) as { id?: number; push?: { pub: { data: { token?: string; done?: boolean } } } }
        if (reply.id === 1) say('{"id":2,"subscribe":{"channel":"reply"}}')
        if (reply.id === 2) say(JSON.stringify({ id: 3, rpc: { method: 'chat', data: { channel: 'reply', message } } }))
        if (reply.push?.pub.data.done) end()
        else if (reply.push !== undefined) hear(reply.push.pub.data.token as string)
      }
    }),
  sse: (port, message) => overHttp(port, '/chat', { message }, (data) => (data as { token: string }).token),
  openai: (port, message) =>
    overHttp(port, '/v1/chat/completions', { model: 'simulated', stream: true, max_tokens: 1024, messages: [{ role: 'user', content: message }] }, (data) => (data as { choices: [{ delta: { content?: string } }] }).choices[0].delta.content ?? ''),
}

/** `onFrame` gets null once the connection is open. */
function overWebSocket(url: string, onFrame: (frame: string | null, say: (frame: string) => void, hear: (token: string) => void, end: () => void) => void): Promise<string[]> {
  const tokens: string[] = []
  const socket = new WebSocket(url)
  return new Promise((resolve, reject) => {
    let isDone = false
    const take = (frame: string | null): void =>
      onFrame(
        frame,
        (said) => socket.send(said),
        (token) => tokens.push(token),
        () => {
          isDone = true
          socket.close()
        },
      )
    socket.addEventListener('open', () => take(null))
    socket.addEventListener('message', ({ data }) => take(String(data)))
    socket.addEventListener('close', ({ code }) => (isDone ? resolve(tokens) : reject(new Error(`closed with ${code}`))))
  })
}

async function overHttp(port: number, path: string, question: object, tokenOf: (data: unknown) => string): Promise<string[]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(question) })
  if (response.status !== 200 || response.body === null) throw new Error(`${response.status}: ${await response.text()}`)
  const tokens: string[] = []
  let isDone = false
  const events = new SseData((data) => {
    if (data === '[DONE]') isDone = true
    else tokens.push(tokenOf(JSON.parse(data)))
  })
  for await (const piece of response.body) events.read(Buffer.from(piece))
  if (!isDone) throw new Error('not done')
  return tokens.filter((token) => token !== '')
}
