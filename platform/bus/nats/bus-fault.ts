import { BusError } from '../channel.ts'

/** Whatever the server or the client refuses with: JetStream cannot serve at the moment. */
export function asBusError(error: unknown): BusError {
  if (error instanceof BusError) return error
  return new BusError('disconnected', `JetStream does not serve: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}
