import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { buildWithGo } from '../../../cluster/programs/build-with-go.ts'
import { executable } from '../../../cluster/programs/server-programs.ts'
import { repositoryRoot } from '../../../tests/harness/repository.ts'

const version = '6.9.1'
const name = executable('centrifugo')
const run = promisify(execFile)

/** Centrifugo 6: the one in PATH, else one built once by go into node_modules/.cache, which takes minutes. Rejects where neither is to be had. */
export async function centrifugoProgram(): Promise<string> {
  if (await isWanted()) return name
  const folder = path.join(repositoryRoot(), 'node_modules', '.cache', `centrifugo-${version}`)
  const program = path.join(folder, name)
  if (existsSync(program)) return program
  const scratch = `${folder}.${process.pid}`
  try {
    mkdirSync(scratch, { recursive: true })
    const built = await buildWithGo(`github.com/centrifugal/centrifugo/v6@v${version}`, scratch)
    // Whoever is first provides for all; a rename is there as a whole or not at all.
    if (!existsSync(program)) renameSync(built, folder)
    return program
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function isWanted(): Promise<boolean> {
  try {
    return (await run(name, ['version'])).stdout.startsWith('Centrifugo v6.')
  } catch {
    return false
  }
}
