/** Tells edges what the engines of this bridge serve. */
import type { ServedModel } from '../protocol/bus/models.ts'
import { decodeModelsRequest, encodeBus } from '../protocol/bus/codec.ts'
import { bridgesQueueGroup, busVersion, modelsSubject } from '../protocol/bus/subjects.ts'
import { limits } from '../protocol/websocket/limits.ts'
import type { Channel, ChannelMessage, Subscription } from '../platform/bus/channel.ts'
import type { Refusals } from '../platform/bus/refusals.ts'
import type { ReplicaSet } from './replicas/replica-set.ts'

const maxModels = 1_000

export class ModelsEndpoint {
  readonly #replicas: Pick<ReplicaSet, 'replicas'>
  readonly #refusals: Refusals
  #subscription: Subscription | null = null

  constructor(replicas: Pick<ReplicaSet, 'replicas'>, refusals: Refusals) {
    this.#replicas = replicas
    this.#refusals = refusals
  }

  listen(channel: Channel, bridge: string): void {
    this.#subscription ??= channel.subscribe(modelsSubject, (message) => this.#onMessage(message, bridge), { queue: bridgesQueueGroup })
  }

  close(): void {
    this.#subscription?.unsubscribe()
    this.#subscription = null
  }

  #onMessage(message: ChannelMessage, bridge: string): void {
    try {
      decodeModelsRequest(message.payload)
    } catch (error) {
      this.#refusals.failed(message.subject, error)
      return
    }
    message.respond(encodeBus({ v: busVersion, bridge, models: this.#models() }))
  }

  /** In the order in which a default is looked for. A name too long to be asked for is none. */
  #models(): ServedModel[] {
    const models = new Map<string, ServedModel>()
    for (const served of this.#replicas.replicas.flatMap((replica) => replica.models)) {
      if (models.has(served.id) || served.id.length > limits.modelLength) continue
      models.set(served.id, { id: served.id, max_tokens: served.maxModelLength })
    }
    return [...models.values()].slice(0, maxModels)
  }
}
