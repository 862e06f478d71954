/** One run of a program. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

export interface ProgramOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly uid?: number
  readonly gid?: number
  /** Whether this line of standard output or error says that it is ready. */
  readonly isReady: (line: string) => boolean
  /** A program that is not ready and says nothing for so long is killed. */
  readonly silenceMs: number
  /** Each line it writes. */
  readonly onLine: (line: string) => void
  /** Once it has a process, and once that has ended. */
  readonly onPid: (pid: number, isAlive: boolean) => void
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Where there never was a process. */
  readonly error?: Error
}

export interface Child {
  /** Null where the program could not be run. */
  readonly pid: number | null
  /** False: it ended first. */
  readonly ready: Promise<boolean>
  readonly exited: Promise<Exit>
  kill(signal: NodeJS.Signals): void
  lastLines(): readonly string[]
}

const keptLines = 40
const longestLine = 4096
const lastWordsMs = 500

/**
 * In a process group of its own: what a terminal's Ctrl-C reaches is this process alone, which knows the order of stopping.
 * Its standard input stays open as long as this process lives.
 */
export function startChild(options: ProgramOptions): Child {
  const { command, args, env, cwd, uid, gid } = options
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    windowsHide: true,
    env,
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  })
  const pid = child.pid ?? null
  if (pid !== null) options.onPid(pid, true)
  child.stdin.on('error', () => {})

  const exited = new Promise<Exit>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error })
    })
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  child.once('exit', () => {
    if (pid !== null) options.onPid(pid, false)
    // What is left of the output is read first; but children of its own may hold it open.
    const timer = setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), lastWordsMs)
    child.once('close', () => clearTimeout(timer))
  })

  const last: string[] = []
  const ready = new Promise<boolean>((resolve) => {
    let silence: NodeJS.Timeout | undefined
    let isReady = false
    const listen = (): void => {
      clearTimeout(silence)
      silence = setTimeout(() => child.kill('SIGKILL'), options.silenceMs)
    }
    listen()
    onLines([child.stdout, child.stderr], (line) => {
      last.push(line.slice(0, longestLine))
      if (last.length > keptLines) last.shift()
      options.onLine(line)
      if (isReady) return
      listen()
      if (!options.isReady(line)) return
      isReady = true
      clearTimeout(silence)
      resolve(true)
    })
    void exited.then(() => {
      clearTimeout(silence)
      resolve(false)
    })
  })
  return { pid, ready, exited, kill: (signal) => void child.kill(signal), lastLines: () => last }
}

function onLines(streams: readonly Readable[], onLine: (line: string) => void): void {
  for (const stream of streams) {
    stream.on('error', () => {})
    createInterface({ input: stream }).on('line', onLine)
  }
}
