import type { ServerResponse } from 'node:http'

/** A client that reads nothing of what is left for so long is cut off. */
const slowReaderMs = 30_000

/** A response of server-sent events as vLLM writes them: unnamed events, comments to keep the connection alive, `[DONE]`. */
export class EventStream {
  readonly #response: ServerResponse
  #keepAlive: NodeJS.Timeout | undefined
  #isIdle = true

  constructor(response: ServerResponse) {
    this.#response = response
  }

  /** Sends the headers. `keepAliveMs`: after so long without an event, at most twice that, a comment is sent. */
  open(keepAliveMs: number): void {
    const response = this.#response
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
    response.flushHeaders()
    this.#keepAlive = setInterval(() => {
      if (this.#isIdle) response.write(': keep-alive\n\n')
      this.#isIdle = true
    }, keepAliveMs)
    response.once('close', () => clearInterval(this.#keepAlive))
  }

  /**
   * The socket's state is not awaited: a reply is at most about a megabyte (the model's limit times 300 bytes), and a
   * generation that waited for a slow reader would keep its sequence from others.
   */
  send(data: string): void {
    this.#isIdle = false
    this.#response.write(`data: ${data}\n\n`)
  }

  end(): void {
    clearInterval(this.#keepAlive)
    this.#response.setTimeout(slowReaderMs, () => this.#response.destroy())
    this.#response.end('data: [DONE]\n\n')
  }
}
