/** Connections of clients that take everything and keep nothing, for benchmarks of what is done before a frame is sent. */
import type { ClientConnection } from '../../../actors/conversation-service.ts'

export class Sink implements ClientConnection {
  readonly subprotocol = 'chatterbot.v1.json'
  readonly writable = true
  bytes = 0

  send(frame: string | Uint8Array): void {
    this.bytes += frame.length
  }

  cork(work: () => void): void {
    work()
  }

  fellBehind(): void {
    throw new Error('a sink never falls behind')
  }
}

/** Throws unless each was sent at least so many bytes. */
export function requireText(sinks: readonly Sink[], bytes: number): void {
  if (sinks.some((sink) => sink.bytes < bytes)) throw new Error('text was lost')
}

/** The n-th of some ids of turns. */
export function turnIdOf(n: number): string {
  return `01932f5e-0000-7000-8000-${String(n).padStart(12, '0')}`
}
