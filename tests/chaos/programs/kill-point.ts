/** The place at which a process kills itself, once. */

/** `commit-accept.before:3`: before the third of the calls that accept a turn takes effect. */
export interface KillPoint {
  readonly step: string
  readonly side: 'before' | 'after'
  /** Which call of the step it is, from 1. */
  readonly nth: number
}

/** Where a process is told its point; absent: it lives on. */
export const killPointVariable = 'CHAOS_KILL_POINT'

export function writeKillPoint({ step, side, nth }: KillPoint): string {
  return `${step}.${side}:${nth}`
}

export class KillSwitch {
  readonly #point: KillPoint | null
  #calls = 0

  /** `text`: as `writeKillPoint` wrote it. */
  constructor(text: string | undefined) {
    const [, step, side, nth] = /^([a-z-]+)\.(before|after):(\d+)$/.exec(text ?? '') ?? []
    if (text !== undefined && step === undefined) throw new Error(`no such point: ${text}`)
    this.#point = step === undefined ? null : { step, side: side as KillPoint['side'], nth: Number(nth) }
  }

  /** For calls that tell when they have taken effect. */
  async around<T>(step: string | null, call: () => Promise<T>): Promise<T> {
    const side = this.#isDue(step)
    if (side === 'before') return this.#dieBefore()
    const result = await call()
    if (side === 'after') return this.#dieBefore()
    return result
  }

  /** For calls that hand over to a socket, which sends within so long, and tell nothing. */
  aroundSend(step: string | null, call: () => void, sendsWithinMs = 5): void {
    const side = this.#isDue(step)
    if (side === 'before') return void this.#dieBefore()
    call()
    // What was handed over leaves the process a moment later.
    if (side === 'after') setTimeout(() => this.#die(), sendsWithinMs)
  }

  #isDue(step: string | null): KillPoint['side'] | null {
    if (this.#point === null || step !== this.#point.step) return null
    this.#calls += 1
    return this.#calls === this.#point.nth ? this.#point.side : null
  }

  #dieBefore(): Promise<never> {
    this.#die()
    return new Promise(() => {})
  }

  #die(): void {
    process.stderr.write(`killed at ${writeKillPoint(this.#point as KillPoint)}\n`)
    process.kill(process.pid, 'SIGKILL')
  }
}
