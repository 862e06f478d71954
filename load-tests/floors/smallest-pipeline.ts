/**
 * The least that does the work of an edge and a bridge honestly: engine, undici, one scan a chunk, NATS in batches,
 * uWebSockets.js; two processes and a nats-server. It keeps nothing, resumes nothing and believes everybody.
 */
import path from 'node:path'
import { natsServerProgram } from '../../cluster/programs/nats-program.ts'
import { freePort } from '../../tests/harness/ports.ts'
import { jsonLineWith, startProcess, type RunningProcess } from '../../tests/harness/processes.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import type { PeerKind } from '../peers/peer.ts'
import type { BridgeSettings, EdgeSettings } from './smallest-messages.ts'

const name = 'smallest pipeline'

export const smallestPipeline: PeerKind = {
  name,
  start: async ({ url }) => {
    const running: RunningProcess<unknown>[] = []
    const stop = async (): Promise<void> => {
      for (const each of running.toReversed()) await each.stop()
    }
    try {
      const natsPort = await freePort()
      const nats = await startProcess(undefined, {
        command: await natsServerProgram(),
        args: ['--addr', '127.0.0.1', '--port', String(natsPort)],
        ready: (line) => (line.includes('Server is ready') ? true : undefined),
      })
      running.push(nats)
      const natsUrl = `nats://127.0.0.1:${natsPort}`
      const bridge = await start('smallest-bridge-process.js', { natsUrl, engineUrl: url } satisfies BridgeSettings)
      running.push(bridge)
      const edge = await start('smallest-edge-process.js', { natsUrl } satisfies EdgeSettings)
      running.push(edge)
      return { name, dialect: 'websocket', port: Number(edge.ready['port']), processes: new Map([['edge', edge.pid], ['bridge', bridge.pid], ['nats', nats.pid]]), stop }
    } catch (error) {
      await stop()
      throw error
    }
  },
}

function start(program: string, settings: BridgeSettings | EdgeSettings): Promise<RunningProcess<Readonly<Record<string, unknown>>>> {
  return startProcess(undefined, {
    command: process.execPath,
    args: [path.join(repositoryRoot(), 'dist', 'load-tests', 'floors', program), JSON.stringify(settings)],
    ready: jsonLineWith('ready'),
  })
}
