/** A turn's reply as a whole. Its text comes with its end, which costs the least. */
import type { ReplyEnd } from './reply-reader.ts'
import { TurnFollower, type TurnFollowerOptions } from './turn-follower.ts'

export interface WholeReply {
  readonly text: string
  readonly end: ReplyEnd
}

/** Waits for the end, however it comes; null once `signal` is aborted. Never rejects. */
export function wholeReply(options: Pick<TurnFollowerOptions, 'service' | 'turn' | 'known'>, signal: AbortSignal): Promise<WholeReply | null> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(null)
    let text = ''
    const left = (): void => {
      follower.close()
      resolve(null)
    }
    const follower = new TurnFollower({
      ...options,
      pace: 'whole',
      reader: {
        writable: true,
        text: (more) => {
          text += more
        },
        restarted: () => {
          text = ''
        },
        ended: (end) => {
          signal.removeEventListener('abort', left)
          resolve({ text, end })
        },
      },
    })
    signal.addEventListener('abort', left, { once: true })
    follower.start()
  })
}
