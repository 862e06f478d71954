/** Which models there are, as the bridges tell. */
import { BusMessageError, decodeModelsReply, encodeBus } from '../../protocol/bus/codec.ts'
import type { ServedModel } from '../../protocol/bus/models.ts'
import { busVersion, modelsSubject } from '../../protocol/bus/subjects.ts'
import { ChatError } from '../../protocol/errors.ts'
import { BusError, type Channel } from '../../platform/bus/channel.ts'

export interface ModelDirectory {
  /** The first is what a turn gets that names none; never empty. Rejects with ChatError `engine_unavailable` where nobody can tell. */
  models(): Promise<readonly ServedModel[]>
}

export interface BusModelDirectoryOptions {
  readonly channel: Channel
  /** Name of this process. */
  readonly node: string
  /** Milliseconds. */
  readonly monotonic: () => number
}

/** Asked again after this, when somebody wants to know. */
const freshMs = 5_000
/** For so long what was told last is believed while no bridge answers. */
const believedMs = 300_000
const timeoutMs = 2_000

interface Told {
  readonly models: readonly ServedModel[]
  readonly at: number
}

export class BusModelDirectory implements ModelDirectory {
  readonly #channel: Channel
  readonly #node: string
  readonly #monotonic: () => number
  #told: Told | null = null
  #asking: Promise<void> | null = null

  constructor({ channel, node, monotonic }: BusModelDirectoryOptions) {
    this.#channel = channel
    this.#node = node
    this.#monotonic = monotonic
  }

  async models(): Promise<readonly ServedModel[]> {
    if (this.#heardWithin(freshMs) === null) {
      this.#asking ??= this.#ask().finally(() => (this.#asking = null))
      await this.#asking
    }
    const told = this.#heardWithin(believedMs)
    if (told === null) throw new ChatError('engine_unavailable', 'No inference engine has told its models yet.')
    return told
  }

  async #ask(): Promise<void> {
    try {
      const { models } = decodeModelsReply(await this.#channel.request(modelsSubject, encodeBus({ v: busVersion, edge: this.#node }), { timeoutMs }))
      // A bridge that has only begun knows of none, which says nothing.
      if (models.length > 0) this.#told = { models, at: this.#monotonic() }
    } catch (error) {
      if (!(error instanceof BusError || error instanceof BusMessageError)) throw error
    }
  }

  #heardWithin(ms: number): readonly ServedModel[] | null {
    return this.#told !== null && this.#monotonic() - this.#told.at <= ms ? this.#told.models : null
  }
}
