/** Reads a reply as a browser's EventSource does: comes back with the id of the last event until it has read `[DONE]`. */

export class ResumingReader {
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>
  /** What was read. */
  text = ''
  /** Connections that ended before the reply did. */
  breaks = 0
  error: unknown = null
  #lastId: string | null = null
  #wake: () => void = () => undefined

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url
    this.#headers = headers
  }

  /** Resolves once all is read. */
  async read(): Promise<void> {
    for (;;) {
      try {
        if (await this.#connection()) return
      } catch {
        // A connection that broke, or that nobody took.
      }
      this.breaks += 1
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  /** True once the end was read. */
  async #connection(): Promise<boolean> {
    const answer = await fetch(this.#url, { headers: { ...this.#headers, ...(this.#lastId === null ? {} : { 'Last-Event-ID': this.#lastId }) } })
    if (answer.status !== 200 || answer.body === null) throw new Error(`${answer.status}: ${await answer.text()}`)
    let held = ''
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      const events = (held + chunk).split('\n\n')
      held = events.pop() ?? ''
      for (const event of events) if (this.#take(event)) return true
    }
    return false
  }

  #take(event: string): boolean {
    const field = (name: string): string | undefined => event.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
    const [id, data] = [field('id'), field('data')]
    if (data === undefined) return false
    if (data === '[DONE]') return true
    const { token, error } = JSON.parse(data) as { readonly token: string; readonly error?: unknown }
    if (error !== undefined) this.error = error
    this.text += token
    this.#lastId = id ?? this.#lastId
    this.#wake()
    return false
  }
}
