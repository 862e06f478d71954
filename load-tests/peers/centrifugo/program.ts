import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { buildWithGo } from '../../../cluster/programs/build-with-go.ts'
import { executable } from '../../../cluster/programs/server-programs.ts'
import { repositoryRoot } from '../../../tests/harness/repository.ts'

const pinned = '6.9.1'
const name = executable('centrifugo')
const run = promisify(execFile)

export interface CentrifugoProgram {
  readonly command: string
  /** One that go has built does not know its own. */
  readonly version: string
}

/** Centrifugo 6: the one in PATH, else one built once by go into node_modules/.cache, which takes minutes. Rejects where neither is to be had. */
export async function centrifugoProgram(): Promise<CentrifugoProgram> {
  const version = await versionInPath()
  if (version !== undefined) return { command: name, version }
  const folder = path.join(repositoryRoot(), 'node_modules', '.cache', `centrifugo-${pinned}`)
  const program = { command: path.join(folder, name), version: pinned }
  if (existsSync(program.command)) return program
  const scratch = `${folder}.${process.pid}`
  try {
    mkdirSync(scratch, { recursive: true })
    const built = await buildWithGo(`github.com/centrifugal/centrifugo/v6@v${pinned}`, scratch)
    // Whoever is first provides for all; a rename is there as a whole or not at all.
    if (!existsSync(program.command)) renameSync(built, folder)
    return program
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function versionInPath(): Promise<string | undefined> {
  try {
    return /^Centrifugo v(6\.\S+)/.exec((await run(name, ['version'])).stdout)?.[1]
  } catch {
    return undefined
  }
}
