/** The specification's own design (load-tests/peers/fastapi/), run as its deployment instructions say. */
import os from 'node:os'
import path from 'node:path'
import { freePort } from '../../../tests/harness/ports.ts'
import { startProcess } from '../../../tests/harness/processes.ts'
import { repositoryRoot } from '../../../tests/harness/repository.ts'
import { pythonEnvironment } from '../../../tests/harness/python-environment.ts'
import { fastapiVersion } from '../../peers/fastapi.ts'

export interface FastapiOptions {
  readonly engineClient: 'httpx' | 'aiohttp'
  readonly engineUrl: string
  readonly databaseUrl: string
}

export interface Peer {
  readonly version: string
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
}

/** A worker a core, as ChatterBot has a process a core. Rejects where Python or a package cannot be had. */
export async function startFastapi({ engineClient, engineUrl, databaseUrl }: FastapiOptions): Promise<Peer> {
  const folder = path.join(repositoryRoot(), 'load-tests', 'peers', 'fastapi')
  const requirements = path.join(folder, 'requirements.txt')
  const port = await freePort()
  const workers = os.availableParallelism()
  let started = 0
  const running = await startProcess(undefined, {
    command: await pythonEnvironment(requirements),
    args: ['-m', 'uvicorn', 'app:app', '--host', '127.0.0.1', '--port', String(port), '--workers', String(workers), '--no-access-log', '--timeout-graceful-shutdown', '2'],
    cwd: folder,
    env: { DATABASE_URL: databaseUrl, ENGINE_URL: engineUrl, ENGINE_CLIENT: engineClient, PYTHONDONTWRITEBYTECODE: '1' },
    ready: (line) => {
      if (line.includes('Application startup complete')) started += 1
      return started === workers ? true : undefined
    },
  })
  return { version: fastapiVersion(requirements, engineClient), port, pid: running.pid, stop: async () => void (await running.stop()) }
}
