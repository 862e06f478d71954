import path from 'node:path'
import t, { type Test } from 'tap'
import { jsonLineWith, startProcess } from '../../tests/harness/processes.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import type { PeerKind } from '../peers/peer.ts'
import { dialects } from '../stream-client/dialects.ts'
import { talk } from '../stream-client/talk.ts'
import { loopback } from '../stream-client/wire.ts'
import { rawUwebsockets } from './raw-uwebsockets.ts'
import { smallestPipeline } from './smallest-pipeline.ts'

async function serves(t: Test, kind: PeerKind): Promise<void> {
  const engine = await startProcess(t, { command: process.execPath, args: [path.join(repositoryRoot(), 'dist', 'load-tests', 'simulated-vllm', 'main.js')], ready: jsonLineWith('ready') })
  const peer = await kind.start({ url: `http://127.0.0.1:${String(engine.ready['port'])}`, tokensPerSecond: 1_000, firstTokenMs: 1, replyTokens: 50 })
  t.teardown(() => peer.stop())
  const sessions = await Promise.all(Array.from({ length: 5 }, (_, n) => dialects[peer.dialect](loopback(peer.port), `user-${n}`)))
  const heard = await talk(sessions, { turnsEach: 2, withinMs: 0, tokens: 37, question: 'question [[tokens=37]]' })
  for (const session of sessions) session.leave()
  t.match(heard, { turns: 10, tokens: 370, lost: 0, doubled: 0, reordered: 0, failures: [] })
}

for (const kind of [rawUwebsockets(1), rawUwebsockets(5), smallestPipeline]) {
  t.test(`the floor "${kind.name}" gives every token, in order`, (t) => serves(t, kind))
}
