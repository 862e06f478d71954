/**
 * Who takes a turn with everything stored: ChatterBot's cluster over WebSocket, and the specification's own design over HTTP.
 * Each has a Postgres of its own that keeps what it has acknowledged, so that the CPU time of each is told apart.
 */
import { startPostgres } from '../../../tests/harness/postgres.ts'
import { HttpConnection } from '../../stream-client/http-connection.ts'
import { loopback } from '../../stream-client/wire.ts'
import { verifyTranscript } from '../../simulated-vllm/reply.ts'
import { cpuSeconds } from '../cpu-time.ts'
import { specification } from './chat-endpoints.ts'
import { startCluster, type CpuTimes } from './cluster-under-test.ts'
import { startFastapi } from './fastapi-peer.ts'
import { ask } from './people.ts'
import { postgresSettings } from './stored-history.ts'
import { connect, conversationsPerSocket, converse } from './talkers.ts'
import { warmUp } from './turns-in-a-row.ts'

export interface TurnTaker {
  readonly name: string
  readonly version?: string | undefined
  /** Resolves at the end of the reply. Rejects where that is not what the engine said. */
  take(question: string, tokens: number): Promise<void>
  /** By process, its Postgres included; neither load nor engine. */
  cpu(): CpuTimes
}

export interface TurnTakers {
  /** The first is ours. */
  readonly takers: readonly TurnTaker[]
  readonly leftOut: readonly { readonly name: string; readonly why: string }[]
  stop(): Promise<void>
}

/** Of the engine. */
const tokensPerSecond = 200
const conversations = 400
/** uvicorn closes connections on which nothing was asked for five seconds. */
const keptMs = 3_000
const peerWarmUp = { people: 64, questionsEach: 40, withinMs: 0 } as const

/** Both are warm: what they run is compiled. `profiles`: folder for profiles of the cluster's processes; empty for none. */
export async function startTurnTakers(profiles: string): Promise<TurnTakers> {
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const each of stops) await each()
  }
  try {
    const postgres = await startPostgres(undefined, postgresSettings)
    stops.unshift(() => postgres.stop())
    const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond, firstTokenMs: 0, replyTokens: 1, databaseUrls: [await postgres.createDatabase('cluster')], profiles })
    stops.unshift(() => cluster.stop())
    await warmUp(cluster.port)
    const talkers = await connect(cluster.port, Math.ceil(conversations / conversationsPerSocket))
    stops.unshift(async () => talkers.forEach(({ socket }) => socket.leave()))
    const resting = await converse(talkers, conversations)
    const ours: TurnTaker = {
      name: 'ChatterBot',
      take: async (question, tokens) => {
        const conversation = resting.shift()
        if (conversation === undefined) throw new Error('no conversation rests')
        await conversation.talker.talk(conversation.id, `${question} ${lengthOf(tokens)}`, tokens)
        resting.push(conversation)
      },
      cpu: () => new Map([...cluster.serversCpu(), ['postgres', cpuSeconds(postgres.pid)]]),
    }
    const name = 'FastAPI + aiohttp'
    const leftOut: { name: string; why: string }[] = []
    const peer = await startPeer(name, cluster.engineUrl, stops).catch((error: unknown) => void leftOut.push({ name, why: String(error) }))
    return { takers: [ours, ...(peer ? [peer] : [])], leftOut, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startPeer(name: string, engineUrl: string, stops: (() => Promise<void>)[]): Promise<TurnTaker> {
  const postgres = await startPostgres(undefined, postgresSettings)
  stops.unshift(() => postgres.stop())
  const fastapi = await startFastapi({ engineClient: 'aiohttp', engineUrl, databaseUrl: await postgres.createDatabase('fastapi') })
  stops.unshift(() => fastapi.stop())
  for (const kind of ['chat', 'stream'] as const) await ask(fastapi.port, specification, kind, { ...peerWarmUp, tokens: 1 })
  const resting: { readonly connection: HttpConnection; readonly since: number }[] = []
  const connectionThatIsKept = (): Promise<HttpConnection> => {
    const last = resting.pop()
    if (last !== undefined && performance.now() - last.since < keptMs) return Promise.resolve(last.connection)
    for (const { connection } of [...(last === undefined ? [] : [last]), ...resting.splice(0)]) connection.leave()
    return HttpConnection.open(loopback(fastapi.port))
  }
  return {
    name,
    version: fastapi.version,
    take: async (question, tokens) => {
      const asking = await connectionThatIsKept()
      const asked = `${question} ${lengthOf(tokens)}`
      let text = ''
      // One token has nothing to be streamed.
      if (tokens === 1) text = await specification.chat(asking, 'user', asked)
      else await specification.stream(asking, 'user', asked, (more) => (text += more))
      resting.push({ connection: asking, since: performance.now() })
      const verdict = verifyTranscript(text, asked, { tokens })
      if (!verdict.ok) throw new Error(`a reply is not what the engine said: ${JSON.stringify(verdict)}`)
    },
    cpu: () => new Map([['uvicorn', cpuSeconds(fastapi.pid)], ['postgres', cpuSeconds(postgres.pid)]]),
  }
}

/** What the simulated engine takes the length of its reply from. */
function lengthOf(tokens: number): string {
  return `[[tokens=${tokens}]]`
}
