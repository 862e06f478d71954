/** Every message of the bus. Their schemas' hash is tested, so that the wire never changes unnoticed. */
import { BeginReply, BeginRequest, ContextReply, ContextRequest } from './begin.ts'
import { ControlReply, ControlRequest } from './control.ts'
import { DeadLetterMessage } from './dead-letter.ts'
import { DeltaBatch } from './deltas.ts'
import { FinishReply, FinishRequest } from './finish.ts'
import { FollowedBatch, FollowerNotice, FollowReply, FollowRequest, TakenNotice } from './following.ts'
import { ForwardReply, ForwardRequest } from './forwarding.ts'
import { ModelsReply, ModelsRequest } from './models.ts'
import { RetryReply, RetryRequest } from './retry.ts'

export const busMessages = {
  BeginRequest, BeginReply, ContextRequest, ContextReply, ControlRequest, ControlReply, DeltaBatch, FinishRequest, FinishReply,
  ForwardRequest, ForwardReply, FollowRequest, FollowReply, FollowedBatch, FollowerNotice, TakenNotice, DeadLetterMessage, RetryRequest, RetryReply,
  ModelsRequest, ModelsReply,
} as const

export type BusMessage =
  | BeginRequest | BeginReply | ContextRequest | ContextReply | ControlRequest | ControlReply | DeltaBatch | FinishRequest | FinishReply
  | ForwardRequest | ForwardReply | FollowRequest | FollowReply | FollowedBatch | FollowerNotice | TakenNotice | DeadLetterMessage | RetryRequest | RetryReply | ModelsRequest | ModelsReply
