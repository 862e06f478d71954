/** The engine, as a server written in Node asks it: by undici, event after event. */
import { Agent, request } from 'undici'

const dataPrefix = 'data: '
const done = '[DONE]'
const maxTokens = 1024

export class Engine {
  readonly #url: string
  // A connection a stream; its pool is otherwise bounded for other work than this.
  readonly #agent = new Agent({ connections: null, pipelining: 1 })

  /** `url`: without a slash at the end. */
  constructor(url: string) {
    this.#url = url
  }

  /** Hands on each token as it comes; resolves at the end of the reply. Rejects where the engine fails, breaks off, or the signal comes. */
  async reply(message: string, onToken: (token: string) => void, signal: AbortSignal): Promise<void> {
    const { statusCode, body } = await request(`${this.#url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'simulated', stream: true, max_tokens: maxTokens, messages: [{ role: 'user', content: message }] }),
      dispatcher: this.#agent,
      signal,
    })
    if (statusCode !== 200) throw new Error(`the engine answered ${statusCode}: ${await body.text()}`)
    body.setEncoding('utf8')
    let rest = ''
    let isDone = false
    body.on('data', (piece: string) => {
      const lines = `${rest}${piece}`.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (!line.startsWith(dataPrefix)) continue
        const data = line.slice(dataPrefix.length)
        if (data === done) {
          isDone = true
          continue
        }
        const { choices } = JSON.parse(data) as { choices: readonly { delta: { content?: string } }[] }
        const token = choices[0]?.delta.content
        if (token) onToken(token)
      }
    })
    await new Promise<void>((resolve, reject) => body.once('end', resolve).once('error', reject))
    if (!isDone) throw new Error("the engine's stream ended before its end")
  }
}
