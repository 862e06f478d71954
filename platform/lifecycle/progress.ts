import { StoppedWhileStarting } from './service-group.ts'

/** What a person sees of the start, on standard output: a line per step with the time it took, and a sign of life during long ones. */
export interface ProgressOutput {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export class Progress {
  readonly #output: ProgressOutput

  constructor(output: ProgressOutput) {
    this.#output = output
  }

  /** Shows what `tell` was told last, as it comes on a terminal, every 10 s elsewhere. `since`: when the work began, if before now. */
  async step<T>(name: string, work: (tell: (detail: string) => void) => Promise<T>, since = performance.now()): Promise<T> {
    const terminal = this.#output.isTTY === true
    const seconds = (): string => `${((performance.now() - since) / 1000).toFixed(1)} s`
    let detail = ''
    const show = (): void => void this.#output.write(terminal ? `\r\x1b[K${name} … ${detail}` : `${name} … ${detail}${detail === '' ? '' : ', '}${seconds()}\n`)
    const end = (outcome: string): void => void this.#output.write(`${terminal ? '\r\x1b[K' : ''}${name}: ${outcome} ${seconds()}\n`)
    const timer = setInterval(show, terminal ? 200 : 10_000)
    try {
      const result = await work((latest) => {
        detail = latest
      })
      end('done in')
      return result
    } catch (error) {
      end(error instanceof StoppedWhileStarting ? 'stopped after' : 'failed after')
      throw error
    } finally {
      clearInterval(timer)
    }
  }

  say(text: string): void {
    this.#output.write(`${text}\n`)
  }
}
