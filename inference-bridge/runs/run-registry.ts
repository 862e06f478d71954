/** The live runs of a bridge, by turn, and their owners' requests about them. */
import { decodeControlRequest, encodeBus } from '../../protocol/bus/codec.ts'
import type { ControlReply, ControlRequest } from '../../protocol/bus/control.ts'
import { busVersion, controlSubject } from '../../protocol/bus/subjects.ts'
import type { Channel, ChannelMessage, Subscription } from '../../platform/bus/channel.ts'
import type { Refusals } from '../../platform/bus/refusals.ts'
import type { Run } from './run.ts'

const unknown: ControlReply = { v: busVersion, type: 'unknown' }

export class RunRegistry {
  readonly #runs = new Map<string, Run>()
  readonly #refusals: Refusals
  #subscription: Subscription | null = null

  constructor(refusals: Refusals) {
    this.#refusals = refusals
  }

  get size(): number {
    return this.#runs.size
  }

  /** A turn has one run here: a later grant takes the place of an earlier one, which is stopped. */
  add(run: Run): void {
    this.#runs.get(run.turnId)?.abort()
    this.#runs.set(run.turnId, run)
  }

  remove(run: Run): void {
    if (this.#runs.get(run.turnId) === run) this.#runs.delete(run.turnId)
  }

  runs(): Run[] {
    return [...this.#runs.values()]
  }

  listen(channel: Channel, bridge: string): void {
    this.#subscription ??= channel.subscribe(controlSubject(bridge), (message) => this.#onMessage(message))
  }

  close(): void {
    this.#subscription?.unsubscribe()
    this.#subscription = null
  }

  #onMessage(message: ChannelMessage): void {
    let request: ControlRequest
    try {
      request = decodeControlRequest(message.payload)
    } catch (error) {
      this.#refusals.failed(message.subject, error)
      return
    }
    message.respond(encodeBus(this.#answer(request)))
  }

  #answer(request: ControlRequest): ControlReply {
    const run = this.#runs.get(request.turn_id)
    if (run === undefined || run.number !== request.run) return unknown
    if (request.type === 'abort') return { v: busVersion, type: 'aborted', text: run.abort() }
    const replay = run.attach(request.edge, request.offset, request.id_offset)
    return replay === null ? unknown : { v: busVersion, type: 'attached', text: replay.text, token_ids: replay.tokenIds }
  }
}
