import { randomBytes } from 'node:crypto'

/** What every chunk of one reply repeats. */
export interface ReplyHead {
  readonly id: string
  /** Seconds since the epoch. */
  readonly created: number
  readonly model: string
}

export function newReplyHead(kind: 'chatcmpl' | 'cmpl', model: string): ReplyHead {
  return { id: `${kind}-${randomBytes(8).toString('hex')}`, created: Math.floor(Date.now() / 1000), model }
}
