import { BusError } from '../channel.ts'

/** Whatever the server or the client refuses with: JetStream cannot serve at the moment. */
export function asBusError(error: unknown): BusError {
  // Nobody answers where JetStream should: it is not there, or has no such stream.
  if (error instanceof BusError && error.code !== 'no_responders') return error
  return new BusError('disconnected', `JetStream does not serve: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}
