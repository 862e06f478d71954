/** Servers that hold connections of clients, each in the state in which its client could be sent a token: ChatterBot's and others'. */
import { rawUwebsockets } from '../../floors/raw-uwebsockets.ts'
import { centrifugo } from '../../peers/centrifugo.ts'
import { socketIo, ws } from '../../peers/node-peers.ts'
import type { EngineUnderTest, PeerKind } from '../../peers/peer.ts'
import type { Contestant, Figure } from '../result.ts'
import { dialects } from '../../stream-client/dialects.ts'
import { loopback } from '../../stream-client/wire.ts'
import { startCluster } from './cluster-under-test.ts'
import { LeanSocket } from './lean-socket.ts'

export interface Client {
  leave(): void
}

export interface Holder {
  readonly version?: string | undefined
  /** Of the processes that hold the connections, or have to do with them. */
  readonly pids: readonly number[]
  /** Resolves once the server has said that the n-th client is connected. Rejects where it refuses. */
  readonly open: (n: number) => Promise<Client>
  readonly stop: () => Promise<void>
}

export interface HolderKind {
  readonly name: string
  readonly isOurs?: true
  /** Rejects, with a reason in words, where it cannot be had on this machine. */
  readonly start: () => Promise<Holder>
}

interface Measured {
  readonly contestants: readonly Contestant[]
  readonly leftOut: readonly { readonly name: string; readonly why: string }[]
}

/** Nobody is asked anything. */
const noEngine: EngineUnderTest = { url: 'http://127.0.0.1:9', tokensPerSecond: 1, firstTokenMs: 0, replyTokens: 1 }

const connected: HolderKind = { name: 'ChatterBot, connected', isOurs: true, start: () => startEdge((port, n) => LeanSocket.open(port, `client-${n}`)) }

/** Each client has a conversation, the same whenever it comes again. */
const inConversation: HolderKind = {
  name: 'ChatterBot, a conversation open',
  start: () => {
    const conversations = new Map<number, number>()
    return startEdge(async (port, n) => {
      const socket = await LeanSocket.open(port, `client-${n}`)
      const id = conversations.get(n) ?? (await create(socket))
      conversations.set(n, id)
      await socket.ask({ type: 'conversation.open', conversation_id: id })
      return socket
    })
  },
}

/** Ours, ours with a conversation, which the others know nothing of, and those. */
export const holders: readonly HolderKind[] = [connected, inConversation, ...[rawUwebsockets(1), ws, socketIo, centrifugo].map(ofPeer)]

/** One after the other. Who cannot be had or measured here is left out, by name; ours is not: rejects with what is wrong. */
export async function measureEach(say: (line: string) => void, measure: (holder: Holder) => Promise<Figure[]>): Promise<Measured> {
  const contestants: Contestant[] = []
  const leftOut: { name: string; why: string }[] = []
  for (const { name, isOurs, start } of holders) {
    say(name)
    try {
      const holder = await start()
      try {
        contestants.push({ name, version: holder.version, ...(isOurs ? { isOurs } : {}), figures: await measure(holder) })
      } finally {
        await holder.stop()
      }
    } catch (error) {
      if (isOurs) throw error
      leftOut.push({ name, why: String(error) })
    }
  }
  return { contestants, leftOut }
}

async function create(socket: LeanSocket): Promise<number> {
  const reply = await socket.ask({ type: 'conversation.create' })
  if (reply.type !== 'conversation.created') throw new Error(`${reply.type} is no answer`)
  return reply.conversation_id
}

async function startEdge(open: (port: number, n: number) => Promise<Client>): Promise<Holder> {
  const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens: 1 })
  const pids = cluster.report.processes.flatMap(({ role, pid }) => (role === 'edge' && pid !== null ? [pid] : []))
  return { pids, open: (n) => open(cluster.port, n), stop: () => cluster.stop() }
}

function ofPeer(kind: PeerKind): HolderKind {
  return {
    name: kind.name,
    start: async () => {
      const peer = await kind.start(noEngine)
      return { version: peer.version, pids: [...peer.processes.values()], open: (n) => dialects[peer.dialect](loopback(peer.port), `client-${n}`), stop: () => peer.stop() }
    },
  }
}
