/** Peers that are a process of Node each: the engine's address is their argument, and a line of JSON tells their port. */
import path from 'node:path'
import { jsonLineWith, startProcess } from '../../tests/harness/processes.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import type { Dialect } from '../stream-client/dialect.ts'
import type { PeerKind } from './peer.ts'
import { packageVersion } from './versions.ts'

export const ws = nodePeer('ws', 'websocket', 'ws', 'ws')
export const socketIo = nodePeer('Socket.IO', 'socket.io', 'socket-io', 'socket.io')
export const fastify = nodePeer('Fastify', 'sse', 'fastify', 'fastify')

function nodePeer(name: string, dialect: Dialect, folder: string, packageName: string): PeerKind {
  return {
    name,
    start: async ({ url }) => {
      const running = await startProcess(undefined, {
        command: process.execPath,
        args: [path.join(repositoryRoot(), 'dist', 'load-tests', 'peers', folder, 'main.js'), url],
        env: { NODE_ENV: 'production' },
        ready: jsonLineWith('ready'),
      })
      return { name, version: packageVersion(packageName), dialect, port: Number(running.ready['port']), processes: new Map([['server', running.pid]]), stop: async () => void (await running.stop()) }
    },
  }
}
