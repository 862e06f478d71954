import { BusError, type Channel, type RequestOptions } from '../../platform/bus/channel.ts'

/** Asks the edge that is known to have a conversation, and where that is gone, or none is known, any: it finds the owner. Rejects with BusError. */
export async function askEdge(channel: Channel, subjects: { readonly known: string | null; readonly any: string }, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
  if (subjects.known !== null) {
    try {
      return await channel.request(subjects.known, payload, options)
    } catch (error) {
      if (!(error instanceof BusError) || error.code !== 'no_responders') throw error
    }
  }
  return channel.request(subjects.any, payload, options)
}
