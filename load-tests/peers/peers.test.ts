import path from 'node:path'
import t from 'tap'
import { pythonEnvironment } from '../../tests/harness/python-environment.ts'
import { repositoryRoot } from '../../tests/harness/repository.ts'
import { expectedText } from '../simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../simulated-vllm/server.ts'
import type { Dialect } from '../stream-client/dialect.ts'
import { peers } from './all.ts'
import { centrifugo } from './centrifugo.ts'
import { fastapiAiohttp, fastapiHttpx } from './fastapi.ts'
import { litellm } from './litellm.ts'
import { nginx, nginxProgram } from './nginx.ts'
import type { PeerKind } from './peer.ts'
import { askOnce } from './testing/ask-once.ts'

const tokens = 20
const question = 'How are you?'

const python = await pythonEnvironment(path.join(repositoryRoot(), 'load-tests', 'peers', 'fastapi', 'requirements.txt')).then(
  () => false as const,
  (error: unknown) => String(error),
)
/** Why one cannot be tried here. */
const skipped: ReadonlyMap<PeerKind, string | false> = new Map([
  [nginx, nginxProgram() === undefined && 'there is no nginx on this machine'],
  [fastapiAiohttp, python],
  [fastapiHttpx, python],
])

// The others take minutes to install; the benchmarks verify what they pass on.
for (const kind of peers.filter((each) => each !== litellm && each !== centrifugo)) {
  const skip = skipped.get(kind) ?? false
  t.test(`${kind.name} passes on every token as it comes`, { skip }, async (t) => {
    const engine = await startSimulatedVllm({ replyTokens: tokens, tokensPerSecond: 200 })
    t.teardown(() => engine.close())
    const peer = await kind.start({ url: `http://127.0.0.1:${engine.port}`, tokensPerSecond: 200, firstTokenMs: 0, replyTokens: tokens })
    t.teardown(() => peer.stop())
    const heard = await askOnce[peer.dialect as Exclude<Dialect, 'chatterbot'>](peer.port, question)
    t.equal(heard.join(''), expectedText(question, tokens))
    t.match(peer.version, /^\d+\.\d+/)
    t.ok(heard.length > tokens / 2, `${heard.length} pieces`)
    for (const pid of peer.processes.values()) t.ok(process.kill(pid, 0))
  })
}
