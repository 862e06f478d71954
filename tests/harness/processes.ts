import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { guardProcess } from './guard.ts'

const maxOutput = 256 * 1024

/** The part of a tap test that the harness needs. */
export interface TestContext {
  teardown(handler: () => unknown): unknown
}

export interface ProgramOptions {
  readonly command: string
  readonly args?: readonly string[]
  /** Added to PATH, HOME and the temporary folder; nothing else of this process's environment is passed on. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Keeps standard input open, for programs that end with it. */
  readonly holdsInput?: boolean
  readonly uid?: number
  readonly gid?: number
}

export interface ProcessOptions<Ready> extends ProgramOptions {
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
  const { command, ready, readyWithinMs = 30_000 } = options
  let resolveReady: (value: Ready) => void
  const found = new Promise<Ready>((resolve) => {
    resolveReady = resolve
  })
  const { child, output, exited, failed } = spawnProgram(options, (line) => {
    const value = ready(line)
    if (value !== undefined) resolveReady(value)
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

  const ended = exited.then(({ code, signal }) => {
    throw new Error(`ended with ${signal ?? `code ${code}`} before it was ready`)
  })
  const value = await within(readyWithinMs, [found, failed, ended]).catch(async (error: Error) => {
    await kill()
    throw new Error(`${command} ${error.message}\n${output()}`)
  })
  return { pid: child.pid as number, ready: value, exited, output, signal: (signal) => child.kill(signal), stop, kill }
}

/** Runs a program to its end. Rejects when it cannot be started. */
export async function runProgram(options: ProgramOptions): Promise<Exit & { readonly output: string }> {
  const { output, exited, failed } = spawnProgram(options, () => {})
  const exit = await Promise.race([exited, failed])
  return { ...exit, output: output() }
}

interface SpawnedProgram {
  readonly child: ChildProcess
  readonly output: () => string
  readonly exited: Promise<Exit>
  /** Rejects when the program cannot be started, and never resolves. */
  readonly failed: Promise<never>
}

function spawnProgram({ command, args = [], env, cwd, holdsInput = false, uid, gid }: ProgramOptions, onLine: (line: string) => void): SpawnedProgram {
  const child = spawn(command, args, {
    stdio: [holdsInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    env: { ...inheritedEnvironment(), ...env },
    windowsHide: true,
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid })
  })
  guardProcess(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    createInterface({ input: stream }).on('line', (line) => {
      output = `${output}${line}\n`.slice(-maxOutput)
      onLine(line)
    })
  }
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject)
  })
  return { child, output: () => output, exited, failed }
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

async function within<Value>(ms: number, outcomes: readonly Promise<Value>[]): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`was not ready after ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([...outcomes, late])
  } finally {
    clearTimeout(timer)
  }
}

function inheritedEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'ProgramFiles', 'USERPROFILE']
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))
}
