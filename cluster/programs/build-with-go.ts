import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** `program`: a module's command and its version, as `go install` takes it. Resolves with the folder, below `scratch`, that holds it then. */
export async function buildWithGo(program: string, scratch: string): Promise<string> {
  const folder = path.join(scratch, 'bin')
  await run('go', ['install', program], { env: { ...process.env, GOBIN: folder } })
  return folder
}
