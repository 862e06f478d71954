import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { guardProcess } from './guard.ts'

const maxOutput = 256 * 1024

/** The part of a tap test that the harness needs. */
export interface TestContext {
  teardown(handler: () => unknown): unknown
}

export interface ProcessOptions<Ready> {
  readonly command: string
  readonly args?: readonly string[]
  /** Added to PATH, HOME and the temporary folder; nothing else of this process's environment is passed on. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly uid?: number
  readonly gid?: number
  /** Looks at each line of standard output and error; the first value that is not undefined means ready. */
  readonly ready: (line: string) => Ready | undefined
  /** Default 30 s. */
  readonly readyWithinMs?: number
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface RunningProcess<Ready> {
  readonly pid: number
  /** What `ready` found. */
  readonly ready: Ready
  readonly exited: Promise<Exit>
  /** The last 256 KiB of standard output and error. */
  output(): string
  signal(signal: NodeJS.Signals): void
  /** Asks with `signal` (SIGTERM), and kills what has not ended after `deadlineMs` (10 s). */
  stop(options?: { readonly signal?: NodeJS.Signals; readonly deadlineMs?: number }): Promise<Exit>
  kill(): Promise<Exit>
}

/** Rejects, with what the program said, when it ends or the time is up before it is ready. It is dead then. */
export async function startProcess<Ready>(t: TestContext | undefined, options: ProcessOptions<Ready>): Promise<RunningProcess<Ready>> {
  const { command, args = [], ready, readyWithinMs = 30_000, env, cwd, uid, gid } = options
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inheritedEnvironment(), ...env },
    windowsHide: true,
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid })
  })
  guardProcess(child)
  let output = ''
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
  })

  const kill = async (): Promise<Exit> => {
    child.kill('SIGKILL')
    return exited
  }
  const stop: RunningProcess<Ready>['stop'] = async ({ signal = 'SIGTERM', deadlineMs = 10_000 } = {}) => {
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
    return exited.finally(() => clearTimeout(timer))
  }
  t?.teardown(() => stop())

  const found = new Promise<Ready>((resolve, reject) => {
    child.once('error', reject)
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        output = `${output}${line}\n`.slice(-maxOutput)
        const value = ready(line)
        if (value !== undefined) resolve(value)
      })
    }
  })
  const value = await within(found, exited, readyWithinMs).catch(async (error: Error) => {
    await kill()
    throw new Error(`${command} ${error.message}\n${output}`)
  })
  return { pid: child.pid as number, ready: value, exited, output: () => output, signal: (signal) => child.kill(signal), stop, kill }
}

/** For `ready` of our own programs: the first line that is a JSON object with this field. */
export function jsonLineWith(field: string): (line: string) => Readonly<Record<string, unknown>> | undefined {
  return (line) => {
    if (!line.startsWith('{')) return undefined
    try {
      const object = JSON.parse(line) as Record<string, unknown>
      return field in object ? object : undefined
    } catch {
      return undefined
    }
  }
}

async function within<Ready>(found: Promise<Ready>, exited: Promise<Exit>, ms: number): Promise<Ready> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`was not ready after ${ms} ms`)), ms)
  })
  const ended = exited.then(({ code, signal }) => {
    throw new Error(`ended with ${signal ?? `code ${code}`} before it was ready`)
  })
  try {
    return await Promise.race([found, ended, late])
  } finally {
    clearTimeout(timer)
  }
}

function inheritedEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'ProgramFiles', 'USERPROFILE']
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))
}
