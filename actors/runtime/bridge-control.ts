/** What owners ask of bridges: to stop a run, or to send its text here from now on. */
import { decodeControlReply, encodeBus } from '../../protocol/bus/codec.ts'
import type { ControlReply, ControlRequest } from '../../protocol/bus/control.ts'
import { busVersion, controlSubject } from '../../protocol/bus/subjects.ts'
import { BusError, type Channel } from '../../platform/bus/channel.ts'

export interface BridgeRequest {
  readonly type: 'abort' | 'attach'
  readonly turnId: string
  readonly run: number
  readonly offset?: number
  readonly idOffset?: number
}

/** `node`: the edge that asks. `nobody`: no bridge has that name. Null: no answer came, or the bus is away; the turn's job is delivered to another then. */
export async function askBridge(channel: Channel, node: string, bridge: string, request: BridgeRequest, timeoutMs: number): Promise<ControlReply | 'nobody' | null> {
  const { turnId: turn_id, run } = request
  const message: ControlRequest =
    request.type === 'abort'
      ? { v: busVersion, type: 'abort', turn_id, run }
      : { v: busVersion, type: 'attach', turn_id, run, edge: node, offset: request.offset ?? 0, id_offset: request.idOffset ?? 0 }
  try {
    return decodeControlReply(await channel.request(controlSubject(bridge), encodeBus(message), { timeoutMs }))
  } catch (error) {
    return error instanceof BusError && error.code === 'no_responders' ? 'nobody' : null
  }
}
