import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { LineSplitter } from './line-splitter.ts'
import type { FindModelProgress } from './model/find-model.ts'
import type { LocalEngineSettings } from './options.ts'
import { parseProcessMessage, type EngineProcessMessage } from './process-messages.ts'

export type Ready = Extract<EngineProcessMessage, { ready: true }>
export type Refusal = Extract<EngineProcessMessage, { ready: false }>

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What the process said of the cause, if it did. */
  readonly refusal: Refusal | undefined
}

export interface ChildListeners {
  readonly onLog: (line: string) => void
  readonly onProgress: (progress: FindModelProgress) => void
}

const maxLineLength = 8 * 1024
/** A process that is not ready and says nothing for so long is stuck. While it downloads it speaks twice a second. */
const startSilenceMs = 120_000

/** One run of the engine's process. */
export class EngineChild {
  readonly pid: number | undefined
  /** Resolves with null if the process ends before it is ready. */
  readonly ready: Promise<Ready | null>
  readonly exited: Promise<Exit>
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>
  #silence: NodeJS.Timeout | undefined

  constructor(settings: LocalEngineSettings, { onLog, onProgress }: ChildListeners) {
    const program = fileURLToPath(new URL('./main.js', import.meta.url))
    const child = spawn(process.execPath, ['--enable-source-maps', program, JSON.stringify({ ...settings, exitWithStdin: true })], { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
    this.#process = child
    this.pid = child.pid
    child.stdin.on('error', noop)
    let refusal: Refusal | undefined
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        onLog(`cannot start the engine: ${error.message}`)
        resolve({ code: null, signal: null, refusal })
      })
      child.once('close', (code, signal) => resolve({ code, signal, refusal }))
    })
    this.ready = new Promise((resolve) => {
      onLines(child.stdout, (line) => {
        const message = parseProcessMessage(line)
        if (message === null) return onLog(line)
        this.#expectMessage()
        if ('progress' in message) return onProgress(message.progress)
        clearTimeout(this.#silence)
        if (message.ready) resolve(message)
        else refusal = message
      })
      void this.exited.then(() => resolve(null))
    })
    onLines(child.stderr, onLog)
    this.#expectMessage()
    void this.exited.then(() => clearTimeout(this.#silence))
  }

  /** Asks the process to end, and kills it after the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    this.#process.kill('SIGTERM')
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), deadlineMs)
    await this.exited
    clearTimeout(kill)
  }

  #expectMessage(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#process.kill('SIGKILL'), startSilenceMs)
  }
}

function onLines(stream: Readable, onLine: (line: string) => void): void {
  const lines = new LineSplitter(maxLineLength, onLine)
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => lines.push(text))
  stream.once('end', () => lines.end())
}

function noop(): void {}
