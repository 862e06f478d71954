/** Edges as far as the actors are concerned, over a real Postgres and the bus in memory, and devices that show what they are sent. */
import { randomUUID } from 'node:crypto'
import { ChatError } from '../../protocol/errors.ts'
import { decodeServerMessage } from '../../protocol/websocket/client-codec.ts'
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import type { Subprotocol } from '../../protocol/websocket/subprotocols.ts'
import type { Channel } from '../../platform/bus/channel.ts'
import { MemoryBus } from '../../platform/bus/memory/memory-bus.ts'
import { systemClock, type Clock } from '../../platform/clock.ts'
import { createLogger, type Logger } from '../../platform/logging/logger.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import { evenShards } from '../../storage/postgres/shard-map.ts'
import { createPostgresStorage, type PostgresStorage } from '../../storage/postgres/storage.ts'
import type { PostgresServer } from '../../tests/harness/postgres.ts'
import type { TestContext } from '../../tests/harness/processes.ts'
import type { ContextSource } from '../context/context-cache.ts'
import type { ClientConnection } from '../conversation-service.ts'
import type { EndedTurn } from '../limits/turn-accounts.ts'
import { createConversationRuntime, type ConversationRuntime } from '../runtime/runtime.ts'
import { ScriptedBridge } from './scripted-bridge.ts'

const silent = createLogger({ level: 'silent', name: 'test' })

/** A client of its own each time. */
export type EdgeBus = Pick<MemoryBus, 'channel' | 'jobQueue' | 'deadLetters'>

/** An edge process, as far as the actors are concerned. */
export interface Edge {
  readonly runtime: ConversationRuntime
  readonly store: ConversationStore
  stop(): Promise<void>
  /** Ends it as SIGKILL would: nothing is given up, nothing is said. */
  kill(): Promise<void>
}

export interface EdgeSettings {
  readonly turnDeadlineMs?: number
  /** Of the actors; the system's where absent. */
  readonly clock?: Clock
  readonly logger?: Logger
  readonly onTurnEnded?: (turn: EndedTurn) => void
  /** Puts something between the edge and its bus. */
  readonly adapt?: (channel: Channel) => Channel
  /** Where contexts come from; the store where absent. */
  readonly makeContexts?: (storage: PostgresStorage) => ContextSource
}

export async function startEdge(node: string, shards: readonly string[], bus: EdgeBus, { turnDeadlineMs = 60_000, clock = systemClock, logger = silent, adapt = (channel) => channel, makeContexts, onTurnEnded }: EdgeSettings = {}): Promise<Edge> {
  const storage = createPostgresStorage({ shards: evenShards(shards), node, bootId: randomUUID(), logger, clock: systemClock })
  await storage.migrate()
  await storage.start()
  const channel = adapt(bus.channel())
  const jobQueue = bus.jobQueue()
  const deadLetters = bus.deadLetters()
  const contexts = makeContexts?.(storage)
  const runtime = createConversationRuntime({ store: storage.store, channel, jobQueue, deadLetters, node, logger, clock, turnDeadlineMs, lapsed: (id) => storage.liveness.lapsedFor(id), ...(contexts === undefined ? {} : { contexts }), ...(onTurnEnded === undefined ? {} : { onTurnEnded }) })
  await runtime.start()
  const close = async (): Promise<void> => {
    await channel.close()
    await jobQueue.close()
    await deadLetters.close()
    await storage.stop()
  }
  return {
    runtime,
    store: storage.store,
    stop: async () => {
      await runtime.stop()
      await close()
    },
    kill: close,
  }
}

/** What one device shows. */
export class Device implements ClientConnection {
  readonly subprotocol: Subprotocol
  writable = true
  readonly events: ServerEvent[] = []
  readonly text = new Map<string, string>()
  readonly ends = new Map<string, Extract<ServerEvent, { type: 'turn.finished' | 'turn.failed' }>>()
  #wake: (() => void)[] = []

  constructor(subprotocol: Subprotocol = 'chatterbot.v1.json') {
    this.subprotocol = subprotocol
  }

  send(frame: string | Uint8Array): void {
    const event = decodeServerMessage(this.subprotocol, frame) as ServerEvent
    this.events.push(event)
    if (event.type === 'turn.started') this.text.set(event.turn_id, '')
    if (event.type === 'turn.delta') {
      const held = this.text.get(event.turn_id) ?? ''
      if (held.length !== event.offset) throw new Error(`${held.length} held, delta at ${event.offset}`)
      this.text.set(event.turn_id, held + event.text)
    }
    if (event.type === 'turn.finished' || event.type === 'turn.failed') {
      if (this.ends.has(event.turn_id)) throw new Error('a second end')
      this.ends.set(event.turn_id, event)
    }
    for (const wake of this.#wake.splice(0)) wake()
  }

  cork(work: () => void): void {
    work()
  }

  fellBehind(): void {
    throw new Error('fell behind')
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }
}

/** Databases of their own on one server, a bus, and what runs on them; all of it ends with the test. */
export async function newWorld(t: TestContext, postgres: PostgresServer, shards = 1) {
  const urls: string[] = []
  for (let n = 0; n < shards; n += 1) urls.push(await postgres.createDatabase(`d${randomUUID().replaceAll('-', '')}`))
  const bus = new MemoryBus({ ackWaitMs: 500 })
  const edges: Edge[] = []
  t.teardown(async () => {
    for (const edge of edges) await edge.stop().catch(() => undefined)
  })
  const bridges: ScriptedBridge[] = []
  return {
    bus,
    urls,
    edge: async (node = 'edge-1', settings: EdgeSettings = {}) => {
      const edge = await startEdge(node, urls, bus, settings)
      edges.push(edge)
      return edge
    },
    bridge: (name = 'bridge-1') => {
      const bridge = new ScriptedBridge(name, bus.channel(), bus.jobQueue())
      bridges.push(bridge)
      return bridge
    },
  }
}

export async function open(edge: Edge, user: string, conversationId: number, device: Device, cursor?: { message_id?: number; turn_id?: string; attempt?: number; offset?: number }, onMoved: () => void = () => undefined) {
  const { opened, subscription } = await edge.runtime.service.open(user, { type: 'conversation.open', conversation_id: conversationId, ...(cursor ? { cursor } : {}) }, device, onMoved)
  subscription.start()
  return { opened, subscription }
}

export function send(edge: Edge, user: string, conversationId: number, text: string, over: { client_message_id?: string; parent_id?: number | null } = {}) {
  return edge.runtime.service.send(user, { type: 'message.send', conversation_id: conversationId, client_message_id: randomUUID(), text, ...over })
}

export async function create(edge: Edge, user = 'ann'): Promise<number> {
  return (await edge.runtime.service.create(user, { type: 'conversation.create' })).conversation_id
}

export async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof ChatError ? error.code : String(error)),
  )
}

/** One edge, one bridge, and a conversation that a device has open. */
export async function newChat(t: TestContext, postgres: PostgresServer) {
  const world = await newWorld(t, postgres)
  const edge = await world.edge()
  const id = await create(edge)
  const device = new Device()
  const { subscription } = await open(edge, 'ann', id, device)
  return { world, edge, bridge: world.bridge(), id, device, subscription }
}
