import { BusMessageError, encodeBus } from '../../protocol/bus/codec.ts'
import type { BusMessage } from '../../protocol/bus/messages.ts'
import { BusError, type Channel } from '../../platform/bus/channel.ts'
import { OwnerAway } from './owner-away.ts'

/** Asks the edge of a conversation's owner. Rejects with OwnerAway `absent` or `silent` where no answer comes that can be read. */
export async function askOwner<Reply>(channel: Channel, subject: string, request: BusMessage, decode: (payload: Uint8Array) => Reply, timeoutMs: number): Promise<Reply> {
  try {
    return decode(await channel.request(subject, encodeBus(request), { timeoutMs }))
  } catch (error) {
    if (error instanceof BusError) throw new OwnerAway(error.code === 'no_responders' || error.code === 'disconnected' ? 'absent' : 'silent', { cause: error })
    if (error instanceof BusMessageError) throw new OwnerAway('silent', { cause: error })
    throw error
  }
}
