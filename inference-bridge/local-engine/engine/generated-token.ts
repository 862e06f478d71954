export interface GeneratedToken {
  readonly id: number
  /** What this token adds to the text, see Detokenizer. Always "" for a token that ends the reply. */
  readonly text: string
  /** Null but for the last token. */
  readonly finish: Finish | null
}

export interface Finish {
  readonly reason: 'stop' | 'length'
  /** The token that ended the reply, unless it was the end of sequence. */
  readonly stopReason: number | null
}
