/** Frames of WebSockets (RFC 6455), as a client reads and writes them. What servers here never do is refused: fragments, masks. */
export const opcode = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

const nothing = Buffer.alloc(0)

export class FrameReader {
  readonly #onFrame: (code: number, payload: Buffer) => void
  #rest: Buffer = nothing

  /** `payload` stands only until it returns. */
  constructor(onFrame: (code: number, payload: Buffer) => void) {
    this.#onFrame = onFrame
  }

  /** Pieces may end anywhere. Throws for what is no frame of a server. */
  read(piece: Buffer): void {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    let at = 0
    while (bytes.length >= at + 2) {
      const first = bytes[at] as number
      const second = bytes[at + 1] as number
      if ((first & 0xf0) !== 0x80 || second > 127) throw new Error('a frame that is cut in parts, compressed or masked')
      const head = second < 126 ? 2 : second === 126 ? 4 : 10
      if (bytes.length < at + head) break
      const length = second < 126 ? second : second === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
      const end = at + head + length
      if (bytes.length < end) break
      this.#onFrame(first & 15, bytes.subarray(at + head, end))
      at = end
    }
    this.#rest = at === bytes.length ? nothing : Buffer.from(bytes.subarray(at))
  }
}

/** Masked with zeros: that costs nothing. `payload`: less than 64 KiB. */
export function frameOf(code: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const frame = Buffer.alloc((length < 126 ? 6 : 8) + length)
  frame[0] = 0x80 | code
  if (length < 126) frame[1] = 0x80 | length
  else {
    frame[1] = 0x80 | 126
    frame.writeUInt16BE(length, 2)
  }
  frame.set(payload, frame.length - length)
  return frame
}
