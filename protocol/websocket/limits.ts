/** Limits of the protocol itself. What a deployment may choose lower or higher is told in `welcome`. */
export const limits = {
  /** Bytes of one frame. 32 KiB of text can grow sixfold in JSON escapes. */
  frameBytes: 256 * 1024,
  /** Bytes of one message's text in UTF-8. */
  textBytes: 32 * 1024,
  /** UTF-16 code units of one message's text: no text within textBytes is longer. */
  textLength: 32 * 1024,
  clientIdLength: 64,
  refLength: 64,
  userIdLength: 128,
  titleLength: 200,
  modelLength: 128,
  tokenLength: 8192,
  stopStrings: 4,
  stopStringLength: 64,
  /** Messages and bytes of content in one `conversation.opened` or `history`. */
  pageMessages: 200,
  pageBytes: 256 * 1024,
  /** Turns that may wait behind the running one. */
  waitingTurns: 4,
  unansweredCommands: 64,
  helloTimeoutMs: 10_000,
  /** The SDK pings this often, and reconnects after this silence. */
  pingIntervalMs: 25_000,
  silenceMs: 60_000,
} as const
