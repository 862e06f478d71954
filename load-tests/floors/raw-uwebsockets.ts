/**
 * The least that a server of uWebSockets.js can cost: it asks nobody, keeps nothing, and sends each token (or each few) as
 * they come due, which it makes itself.
 */
import path from 'node:path'
import { jsonLineWith, startProcess } from '../../tests/harness/processes.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import type { PeerKind } from '../peers/peer.ts'
import { packageVersion } from '../peers/versions.ts'
import type { Pace } from './tokens-in-place.ts'

export function rawUwebsockets(tokensAFrame: number): PeerKind {
  const name = tokensAFrame === 1 ? 'raw uWebSockets.js' : `raw uWebSockets.js, ${tokensAFrame} tokens a frame`
  return {
    name,
    start: async ({ tokensPerSecond, firstTokenMs, replyTokens }) => {
      const pace: Pace = { tokensPerSecond, firstTokenMs, replyTokens, tokensAtOnce: tokensAFrame }
      const running = await startProcess(undefined, {
        command: process.execPath,
        args: [path.join(repositoryRoot(), 'dist', 'load-tests', 'floors', 'raw-uwebsockets-process.js'), JSON.stringify(pace)],
        ready: jsonLineWith('ready'),
      })
      return { name, version: packageVersion('uWebSockets.js'), dialect: 'websocket', port: Number(running.ready['port']), processes: new Map([['server', running.pid]]), stop: async () => void (await running.stop()) }
    },
  }
}
