/** Messages between edges and bridges as bytes. Every decoder returns a message that has passed its schema, or throws BusMessageError. */
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { MsgpackError, readMsgpack } from '../msgpack/reader.ts'
import { beginMsgpack, finishMsgpack, writeArrayHead, writeBinary, writeMapHead, writeMsgpack, writeNumber, writeString } from '../msgpack/writer.ts'
import { firstFault } from '../validation/validation-fault.ts'
import { processNames } from './begin.ts'
import type { DeltaBatch, DeltaItem } from './deltas.ts'
import { busMessages, type BusMessage } from './messages.ts'
import { busVersion } from './subjects.ts'

const processName = new RegExp(processNames.pattern)

export type BusMessageFault = 'malformed' | 'newer_version'

export class BusMessageError extends Error {
  override readonly name = 'BusMessageError'
  /** `newer_version`: the sender is of a later release, and this process must be brought up to date. */
  readonly kind: BusMessageFault
  /** The process that the message says it is of; null where it does not say. */
  readonly sender: string | null

  constructor(kind: BusMessageFault, message: string, options: ErrorOptions & { readonly of?: unknown } = {}) {
    super(message, options)
    this.kind = kind
    this.sender = senderOf(options.of)
  }
}

export function encodeBus(message: BusMessage): Uint8Array {
  return writeMsgpack(message)
}

/** The hot path, written by hand: what `encodeBus` gives. */
export function encodeDeltaBatch({ v, bridge, items }: DeltaBatch): Uint8Array {
  beginMsgpack()
  writeMapHead(3)
  writeString('v')
  writeNumber(v)
  writeString('bridge')
  writeString(bridge)
  writeString('items')
  writeArrayHead(items.length)
  for (const item of items) {
    writeArrayHead(6)
    writeString(item[0])
    writeNumber(item[1])
    writeNumber(item[2])
    writeString(item[3])
    writeNumber(item[4])
    writeBinary(item[5])
  }
  return finishMsgpack()
}

export const decodeBeginRequest = decoderOf(busMessages.BeginRequest)
export const decodeBeginReply = decoderOf(busMessages.BeginReply)
export const decodeContextRequest = decoderOf(busMessages.ContextRequest)
export const decodeContextReply = decoderOf(busMessages.ContextReply)
export const decodeControlRequest = decoderOf(busMessages.ControlRequest)
export const decodeControlReply = decoderOf(busMessages.ControlReply)
export const decodeFinishRequest = decoderOf(busMessages.FinishRequest)
export const decodeFinishReply = decoderOf(busMessages.FinishReply)
export const decodeForwardRequest = decoderOf(busMessages.ForwardRequest)
export const decodeForwardReply = decoderOf(busMessages.ForwardReply)
export const decodeFollowRequest = decoderOf(busMessages.FollowRequest)
export const decodeFollowReply = decoderOf(busMessages.FollowReply)
export const decodeFollowedBatch = decoderOf(busMessages.FollowedBatch)
export const decodeFollowerNotice = decoderOf(busMessages.FollowerNotice)
export const decodeTakenNotice = decoderOf(busMessages.TakenNotice)
export const decodeDeadLetterMessage = decoderOf(busMessages.DeadLetterMessage)
export const decodeRetryRequest = decoderOf(busMessages.RetryRequest)
export const decodeRetryReply = decoderOf(busMessages.RetryReply)
export const decodeModelsRequest = decoderOf(busMessages.ModelsRequest)
export const decodeModelsReply = decoderOf(busMessages.ModelsReply)

function decoderOf<S extends TSchema>(schema: S): (payload: Uint8Array) => Static<S> {
  const validator = Compile(schema)
  return (payload) => {
    const message = read(payload)
    if (!validator.Check(message)) throw new BusMessageError('malformed', `field ${firstFault(validator.Errors(message))} does not fit`, { of: message })
    return message
  }
}

/** The hot path, checked by hand. Token ids are views of `payload`. A turn id is not matched: one that is wrong is of no turn. */
export function decodeDeltaBatch(payload: Uint8Array): DeltaBatch {
  const message = read(payload) as Partial<DeltaBatch>
  if (!isProcessName(message.bridge) || !Array.isArray(message.items)) throw new BusMessageError('malformed', 'no batch of deltas')
  for (const item of message.items) if (!isDeltaItem(item)) throw new BusMessageError('malformed', 'an item that is no delta', { of: message })
  return message as DeltaBatch
}

function isDeltaItem(item: unknown): item is DeltaItem {
  if (!Array.isArray(item) || item.length !== 6) return false
  const [turnId, run, offset, text, idOffset, tokenIds] = item as unknown[]
  return (
    typeof turnId === 'string' && turnId.length === 36 &&
    isCount(run) && run > 0 &&
    isCount(offset) &&
    typeof text === 'string' &&
    isCount(idOffset) &&
    tokenIds instanceof Uint8Array && tokenIds.byteLength % 4 === 0
  )
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Looks at the version before anything else, as a later one may have changed all the rest. */
function read(payload: Uint8Array): object {
  let message: unknown
  try {
    message = readMsgpack(payload, { binary: true })
  } catch (error) {
    if (error instanceof MsgpackError) throw new BusMessageError('malformed', error.message, { cause: error })
    throw error
  }
  const version = typeof message === 'object' && message !== null && 'v' in message ? message.v : undefined
  if (!isCount(version)) throw new BusMessageError('malformed', 'no version')
  if (version > busVersion) throw new BusMessageError('newer_version', `version ${version} of the bus messages, and this process knows ${busVersion}`, { of: message })
  if (version < busVersion - 1) throw new BusMessageError('malformed', `version ${version} of the bus messages is no longer understood`, { of: message })
  return message as object
}

/** Bridges and edges name themselves alike in every message and version. */
function senderOf(message: unknown): string | null {
  if (typeof message !== 'object' || message === null) return null
  for (const name of ['bridge', 'edge']) {
    const sender = (message as Readonly<Record<string, unknown>>)[name]
    if (isProcessName(sender)) return sender
  }
  return null
}

function isProcessName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= processNames.maxLength && processName.test(value)
}
