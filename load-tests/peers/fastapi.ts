/** FastAPI and uvicorn, with Server-Sent Events: the specification's design without what it keeps. */
import path from 'node:path'
import { freePort } from '../../tests/harness/ports.ts'
import { startProcess } from '../../tests/harness/processes.ts'
import { pythonEnvironment } from '../../tests/harness/python-environment.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import type { PeerKind } from './peer.ts'
import { requiredVersion } from './versions.ts'

export const fastapiAiohttp = fastapi('aiohttp')
export const fastapiHttpx = fastapi('httpx')

/** Its own, and that of the library by which it asks the engine. */
export function fastapiVersion(requirements: string, engineClient: string): string {
  return `${requiredVersion(requirements, 'fastapi')} + ${requiredVersion(requirements, engineClient)}`
}

function fastapi(engineClient: 'httpx' | 'aiohttp'): PeerKind {
  const name = `FastAPI + ${engineClient}`
  return {
    name,
    start: async ({ url }) => {
      const folder = path.join(repositoryRoot(), 'load-tests', 'peers', 'fastapi')
      const requirements = path.join(folder, 'requirements.txt')
      const port = await freePort()
      const running = await startProcess(undefined, {
        command: await pythonEnvironment(requirements),
        args: ['-m', 'uvicorn', 'streams:app', '--host', '127.0.0.1', '--port', String(port), '--no-access-log', '--backlog', '16384', '--timeout-graceful-shutdown', '2'],
        cwd: folder,
        env: { ENGINE_URL: url, ENGINE_CLIENT: engineClient, PYTHONDONTWRITEBYTECODE: '1' },
        ready: (line) => (line.includes('Uvicorn running on') ? true : undefined),
      })
      return { name, version: fastapiVersion(requirements, engineClient), dialect: 'sse', port, processes: new Map([['uvicorn', running.pid]]), stop: async () => void (await running.stop()) }
    },
  }
}
