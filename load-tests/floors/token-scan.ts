/**
 * The text of an engine's stream with the least work: each piece of it is looked through once for what `"content":"`
 * begins, and no event is parsed. It believes the engine: an error in the stream is no text, and goes unseen. A character
 * of these strings is a byte (latin1).
 */
const begins = '"content":"'

export class TokenScan {
  #rest = ''

  /** The text of the events that this piece completes, as it stands in JSON, escapes and all. Pieces may end anywhere. */
  read(piece: string): string {
    const received = this.#rest + piece
    const end = received.lastIndexOf('\n') + 1
    this.#rest = received.slice(end)
    let text = ''
    for (let at = received.indexOf(begins); at >= 0 && at < end; ) {
      const from = at + begins.length
      const to = endOfString(received, from)
      text += received.slice(from, to)
      at = received.indexOf(begins, to)
    }
    return text
  }
}

function endOfString(json: string, from: number): number {
  for (let at = from; ; ) {
    const quote = json.indexOf('"', at)
    if (quote < 0) return json.length
    let escapes = 0
    while (json[quote - 1 - escapes] === '\\') escapes += 1
    if (escapes % 2 === 0) return quote
    at = quote + 1
  }
}
