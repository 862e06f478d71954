/** Python with exactly what a requirements file names, made once below node_modules/.cache. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { repositoryRoot } from './repository.ts'

const run = promisify(execFile)

/** The Python to run. Rejects, with what Python said, where it cannot be had on this machine. */
export async function pythonEnvironment(requirements: string): Promise<string> {
  const base = 'python3'
  const { stdout: version } = await run(base, ['-c', 'import sys; print(sys.version)'])
  const name = createHash('sha256').update(version).update(readFileSync(requirements)).digest('hex').slice(0, 16)
  const folder = path.join(repositoryRoot(), 'node_modules', '.cache', `python-${name}`)
  const python = path.join(folder, 'bin', 'python')
  if (existsSync(python)) return python
  const scratch = `${folder}.${process.pid}`
  try {
    mkdirSync(path.dirname(folder), { recursive: true })
    await run(base, ['-m', 'venv', scratch])
    await run(path.join(scratch, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check', '--only-binary=:all:', '--requirement', requirements])
    // Whoever is first provides for all; a rename is there as a whole or not at all.
    if (!existsSync(python)) renameSync(scratch, folder)
    return python
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
