/** The `data` lines of a stream of Server-Sent Events, each an event of its own: what all that is measured here sends. */
export class SseData {
  readonly #onData: (data: string) => void
  #rest = ''

  constructor(onData: (data: string) => void) {
    this.#onData = onData
  }

  /** Pieces may end anywhere, but only where they are text without multi-byte characters, as the simulated engine's. */
  read(piece: Buffer): void {
    const lines = `${this.#rest}${piece.toString('latin1')}`.split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('data: ')) this.#onData(line.slice('data: '.length).trimEnd())
  }
}
