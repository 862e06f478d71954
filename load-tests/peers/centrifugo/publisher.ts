import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'

interface Publication {
  readonly channel: string
  readonly data: object
}

/** At this rate a client sees no difference, and Centrifugo is asked a few hundred times a second instead of for each token. */
const windowMs = 5

/** Publishes through Centrifugo's HTTP API, all that came within a window in one batch, and one batch after the other so that they stay in order. */
export class Publisher {
  readonly #api: string
  readonly #agent = new Agent({ connections: 1 })
  readonly #onFailure: (error: unknown) => void
  #waiting: { readonly publish: Publication }[] = []
  #isBusy = false

  /** `onFailure` hears of what could not be published. */
  constructor(api: string, onFailure: (error: unknown) => void) {
    this.#api = api
    this.#onFailure = onFailure
  }

  publish(channel: string, data: object): void {
    this.#waiting.push({ publish: { channel, data } })
    if (this.#isBusy) return
    this.#isBusy = true
    this.#sendAll().catch(this.#onFailure)
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await delay(windowMs)
        const commands = this.#waiting
        this.#waiting = []
        await this.#send(JSON.stringify({ commands }))
      }
    } finally {
      this.#isBusy = false
    }
  }

  async #send(batch: string): Promise<void> {
    const { statusCode, body } = await request(`${this.#api}/batch`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: batch, dispatcher: this.#agent })
    const answer = await body.text()
    if (statusCode !== 200 || answer.includes('"error"')) throw new Error(`Centrifugo answered ${statusCode}: ${answer.slice(0, 500)}`)
  }
}
