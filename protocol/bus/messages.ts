/** Every message of the bus. Their schemas' hash is tested, so that the wire never changes without a new busVersion. */
import { BeginReply, BeginRequest, ContextReply, ContextRequest } from './begin.ts'
import { ControlReply, ControlRequest } from './control.ts'
import { DeltaBatch } from './deltas.ts'
import { FinishReply, FinishRequest } from './finish.ts'

export const busMessages = { BeginRequest, BeginReply, ContextRequest, ContextReply, ControlRequest, ControlReply, DeltaBatch, FinishRequest, FinishReply } as const

export type BusMessage = BeginRequest | BeginReply | ContextRequest | ContextReply | ControlRequest | ControlReply | DeltaBatch | FinishRequest | FinishReply
