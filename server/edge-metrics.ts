/** What the edge counts. */
import { closeCodes } from '../protocol/websocket/close-codes.ts'
import type { CommandType } from '../protocol/websocket/messages.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { Metrics } from '../platform/metrics/metrics.ts'

export interface EdgeMetrics {
  opened(): void
  closed(code: number): void
  refusedHandshake(status: number): void
  frameIn(): void
  frameOut(): void
  command(type: CommandType): void
  error(code: ErrorCode): void
  /** A connection took less than was sent. */
  blocked(): void
}

export function createEdgeMetrics(metrics: Metrics, counts: () => { readonly connections: number; readonly blocked: number }): EdgeMetrics {
  metrics.gauge({ name: 'chatterbot_websocket_connections', help: 'Open WebSocket connections' }, (gauge) => gauge.set(counts().connections))
  metrics.gauge({ name: 'chatterbot_websocket_blocked_connections', help: 'Connections that hold unsent bytes' }, (gauge) => gauge.set(counts().blocked))
  const opened = metrics.counter({ name: 'chatterbot_websocket_opened_total', help: 'WebSocket connections opened' })
  const closed = metrics.counter({ name: 'chatterbot_websocket_closed_total', help: 'WebSocket connections closed, by close code', labels: ['code'] })
  const refused = metrics.counter({ name: 'chatterbot_websocket_refused_total', help: 'WebSocket handshakes refused, by HTTP status', labels: ['status'] })
  const framesIn = metrics.counter({ name: 'chatterbot_websocket_frames_received_total', help: 'Frames received' })
  const framesOut = metrics.counter({ name: 'chatterbot_websocket_frames_sent_total', help: 'Frames sent' })
  const blocked = metrics.counter({ name: 'chatterbot_websocket_blocked_total', help: 'Times that a connection took less than was sent' })
  const commands = metrics.counter({ name: 'chatterbot_commands_total', help: 'Commands taken, by type', labels: ['type'] })
  const errors = metrics.counter({ name: 'chatterbot_command_errors_total', help: 'Errors sent to clients, by code', labels: ['code'] })
  return {
    opened: () => opened.inc(),
    // Clients may close with any number, and a label must not have as many values.
    closed: (code) => closed.inc({ code: code in closeCodes || code === 1005 ? String(code) : 'other' }),
    refusedHandshake: (status) => refused.inc({ status: String(status) }),
    frameIn: () => framesIn.inc(),
    frameOut: () => framesOut.inc(),
    command: (type) => commands.inc({ type }),
    error: (code) => errors.inc({ code }),
    blocked: () => blocked.inc(),
  }
}
