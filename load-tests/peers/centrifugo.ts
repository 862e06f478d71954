/** Centrifugo, which holds the connections and fans out, with a backend that asks the engine: how one builds a chat on it. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { temporaryFolder } from '../../tests/harness/guard.ts'
import { freePort } from '../../tests/harness/ports.ts'
import { jsonLineWith, startProcess } from '../../tests/harness/processes.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import { centrifugoProgram } from './centrifugo/program.ts'
import type { PeerKind } from './peer.ts'

const name = 'Centrifugo'

export const centrifugo: PeerKind = {
  name,
  start: async ({ url }) => {
    const { command, version } = await centrifugoProgram()
    const folder = temporaryFolder('centrifugo')
    const port = await freePort()
    const backend = await startProcess(undefined, {
      command: process.execPath,
      args: [path.join(repositoryRoot(), 'dist', 'load-tests', 'peers', 'centrifugo', 'main.js'), url, `http://127.0.0.1:${port}/api`],
      env: { NODE_ENV: 'production' },
      ready: jsonLineWith('ready'),
    })
    const file = path.join(folder.path, 'config.json')
    writeFileSync(file, JSON.stringify(configuration(port, Number(backend.ready['port']))))
    const server = await startProcess(undefined, { command, args: ['--config', file], ready: (line) => (line.includes('serving ') ? true : undefined) }).catch(async (error: unknown) => {
      await backend.stop()
      folder.remove()
      throw error
    })
    const stop = async (): Promise<void> => {
      await server.stop()
      await backend.stop()
      folder.remove()
    }
    return { name, version, dialect: 'centrifugo', port, processes: new Map([['Centrifugo', server.pid], ['backend', backend.pid]]), stop }
  },
}

/** Everybody may connect and subscribe to any channel: what is measured needs no tokens. */
function configuration(port: number, backend: number): object {
  return {
    http_server: { address: '127.0.0.1', port },
    client: { allow_anonymous_connect_without_token: true },
    channel: { without_namespace: { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true } },
    rpc: { proxy: { endpoint: `http://127.0.0.1:${backend}/`, timeout: '30s' }, without_namespace: { proxy_enabled: true } },
    http_api: { insecure: true },
  }
}
