/** Finds stop strings in text that grows, whatever the pieces in which it comes. */
export interface StopMatch {
  /** Where the stop string begins: the text ends there. */
  readonly at: number
}

/**
 * Of several stop strings the one whose end comes first wins, and of those with one end the longest: so the result
 * does not depend on how much text came at once.
 */
export class StopStrings {
  readonly #stops: readonly string[]
  readonly #longest: number

  constructor(stops: readonly string[]) {
    this.#stops = [...new Set(stops)].filter((stop) => stop !== '').sort((a, b) => b.length - a.length)
    this.#longest = this.#stops[0]?.length ?? 0
  }

  get none(): boolean {
    return this.#longest === 0
  }

  /** So many of the last units may be the beginning of a stop string: those before matter to neither of the following. */
  get reach(): number {
    return Math.max(0, this.#longest - 1)
  }

  /** The first stop string whose end lies beyond `searched`, up to which `text` was searched before. */
  find(text: string, searched: number): StopMatch | null {
    let firstEnd = Number.POSITIVE_INFINITY
    let match: StopMatch | null = null
    for (const stop of this.#stops) {
      const at = text.indexOf(stop, Math.max(0, searched - stop.length + 1))
      if (at === -1 || at + stop.length >= firstEnd) continue
      firstEnd = at + stop.length
      match = { at }
    }
    return match
  }

  /** Length of what can be shown: from there on, the text may turn out to be the beginning of a stop string. */
  safeLength(text: string): number {
    for (let at = Math.max(0, text.length - this.#longest + 1); at < text.length; at++) {
      const rest = text.slice(at)
      if (this.#stops.some((stop) => rest.length < stop.length && stop.startsWith(rest))) return at
    }
    return text.length
  }
}
