/** One client of one conversation, on a line of its own that can be disturbed. */
import { createClient, type ChatClient, type Conversation } from '../../../client/client.ts'
import type { Subprotocol } from '../../../protocol/websocket/subprotocols.ts'
import type { Transcript } from '../checker/evidence.ts'
import { FaultProxy } from '../proxy/fault-proxy.ts'
import { Recorder } from './recorder.ts'

export interface DeviceOptions {
  readonly name: string
  /** Of the edges. */
  readonly port: () => number
  readonly userId: string
  readonly subprotocol: Subprotocol
}

/** Quick to notice and to come back, so that a run takes no longer than it must. */
const pace = { backoff: { baseMs: 50, maxMs: 500 }, pingIntervalMs: 2_000, silenceMs: 5_000 }
const dialsForAnotherEdge = 12

export class Device {
  readonly name: string
  readonly line: FaultProxy
  readonly client: ChatClient
  readonly faults: string[] = []
  readonly #recorder = new Recorder()
  #conversation: Conversation | null = null

  private constructor({ name, userId, subprotocol }: DeviceOptions, line: FaultProxy) {
    this.name = name
    this.line = line
    this.client = createClient({ url: `ws://127.0.0.1:${line.port}/ws`, userId, subprotocol, WebSocket: this.#recorder.webSocket(), ...pace })
    this.client.on('state', (state) => {
      if (state === 'closed' && this.client.error !== null) this.faults.push(`the client was closed: ${this.client.error.code}`)
    })
  }

  static async connect(options: DeviceOptions): Promise<Device> {
    const device = new Device(options, await FaultProxy.start(options.port))
    await device.client.connect()
    return device
  }

  /** On another edge than `node`, where there is one. */
  static async connectElsewhere(options: DeviceOptions, node: string): Promise<Device> {
    for (let dials = 1; ; dials++) {
      const device = await Device.connect(options)
      if (device.node !== node || dials === dialsForAnotherEdge) return device
      await device.close()
    }
  }

  /** The edge of the newest connection. */
  get node(): string {
    return this.client.welcome?.node_id ?? ''
  }

  get conversation(): Conversation {
    if (this.#conversation === null) throw new Error(`${this.name} has no conversation open`)
    return this.#conversation
  }

  async create(system: string | null): Promise<void> {
    this.#watch(await this.client.createConversation(system === null ? {} : { system }))
    await this.conversation.opened
  }

  async open(conversationId: number): Promise<void> {
    this.#watch(this.client.openConversation(conversationId))
    await this.conversation.opened
  }

  /** Resolves with true once it shows all of these and nothing unfinished; false where that takes longer than `withinMs`. */
  settles(messageIds: readonly number[], withinMs: number): Promise<boolean> {
    const { conversation } = this
    const isSettled = (): boolean => {
      const { status, turns, outbox, messages } = conversation.snapshot()
      const held = new Set(messages.map(({ id }) => id))
      return status === 'failed' || status === 'closed' || (status === 'open' && turns.length === 0 && outbox.length === 0 && messageIds.every((id) => held.has(id)))
    }
    return new Promise((resolve) => {
      const end = (settled: boolean): void => {
        clearTimeout(timer)
        stop()
        resolve(settled)
      }
      const timer = setTimeout(() => end(isSettled()), withinMs)
      const stop = conversation.subscribe(() => {
        if (isSettled()) end(true)
      })
      if (isSettled()) end(true)
    })
  }

  transcript(): Transcript {
    const { id, snapshot } = this.conversation
    const { messages, turns, error } = snapshot()
    return {
      device: this.name,
      conversationId: id,
      changes: this.#recorder.changes,
      frames: this.#recorder.frames,
      final: { messages, unfinished: turns.map(({ turnId }) => turnId) },
      faults: [...this.faults, ...(error === null ? [] : [`the conversation could not be opened: ${error.code}`])],
    }
  }

  async close(): Promise<void> {
    this.client.close()
    await this.line.stop()
  }

  #watch(conversation: Conversation): void {
    this.#conversation = conversation
    this.#recorder.watch(conversation)
  }
}
