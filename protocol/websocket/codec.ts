/**
 * The server's half of the codec, and the one place where a client's bytes become a command. Whatever the bytes,
 * decodeCommand returns: a command whose every field has passed the schema, or an error of the catalogue.
 */
import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { ChatError } from '../errors.ts'
import { maxDepth } from '../msgpack/limits.ts'
import { readMsgpack } from '../msgpack/reader.ts'
import { beginMsgpack, finishMsgpack, writeMapHead, writeMsgpack, writeNumber, writeRaw, writeString } from '../msgpack/writer.ts'
import { checkText, isWellFormed } from '../text.ts'
import { limits } from './limits.ts'
import { commands, type Command, type CommandType, type ServerMessage } from './messages.ts'
import type { Subprotocol } from './subprotocols.ts'
import { parseJson } from '../validation/json.ts'
import { keepKnown } from '../validation/known-fields.ts'
import { firstFault } from '../validation/validation-fault.ts'

export { decodeServerMessage, encodeCommand } from './client-codec.ts'

export type DecodedCommand =
  | { readonly ok: true; readonly command: Command }
  /** `ref`, where the frame had a usable one, so that the reply can echo it; `pointer`: JSON pointer to the field at fault. */
  | { readonly ok: false; readonly ref?: string | number; readonly error: ChatError; readonly pointer?: string }

const validators = new Map<string, { readonly schema: TSchema; readonly validator: Validator }>(
  (Object.keys(commands) as CommandType[]).map((type) => {
    const schema = commands[type].command
    return [type, { schema, validator: Compile(schema) }]
  }),
)

/** Text of messages has its own codes. Every other string is checked to be well-formed by keepKnown. */
const textFields: Partial<Record<CommandType, string>> = { 'message.send': 'text', 'message.edit': 'text', 'conversation.create': 'system' }

export function decodeCommand(subprotocol: Subprotocol, data: Uint8Array, isBinary: boolean): DecodedCommand {
  if (data.byteLength > limits.frameBytes) return refuse(new ChatError('frame_too_big'))
  if (isBinary !== (subprotocol === 'chatterbot.v1.msgpack')) return refuse(new ChatError('bad_frame', 'A frame of the wrong kind: text is JSON, binary is MessagePack.'))
  let frame: unknown
  try {
    frame = isBinary ? readMsgpack(data, { binary: false }) : parseJson(data, maxDepth)
  } catch (error) {
    return refuse(new ChatError('bad_frame', undefined, { cause: error }))
  }
  if (!isObject(frame)) return refuse(new ChatError('bad_frame'))
  return check(frame)
}

function check(frame: Record<string, unknown>): DecodedCommand {
  const ref = usableRef(frame)
  const type = Object.hasOwn(frame, 'type') ? frame['type'] : undefined
  if (typeof type !== 'string') return refuse(new ChatError('invalid_field', 'The field /type is missing or no string.'), ref, '/type')
  const known = validators.get(type)
  if (known === undefined) return refuse(new ChatError('unknown_type'), ref)
  if (!known.validator.Check(frame)) {
    const pointer = firstFault(known.validator.Errors(frame))
    return refuse(new ChatError('invalid_field', `The field ${pointer} is missing, of the wrong type or out of range.`), ref, pointer)
  }
  const textField = textFields[type as CommandType]
  if (textField !== undefined) {
    const text = frame[textField]
    const fault = typeof text === 'string' ? checkText(text) : null
    if (fault !== null) return refuse(new ChatError(fault), ref, `/${textField}`)
  }
  const kept = keepKnown(known.schema, frame, isWellFormed)
  if (!kept.ok) return refuse(new ChatError('invalid_field', `The field ${kept.pointer} has a lone surrogate or U+0000.`), ref, kept.pointer)
  return { ok: true, command: kept.value as Command }
}

function refuse(error: ChatError, ref?: string | number, pointer?: string): DecodedCommand {
  return { ok: false, error, ...(ref === undefined ? {} : { ref }), ...(pointer === undefined ? {} : { pointer }) }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function usableRef(frame: Record<string, unknown>): string | number | undefined {
  const ref = Object.hasOwn(frame, 'ref') ? frame['ref'] : undefined
  if (typeof ref === 'number') return Number.isFinite(ref) ? ref : undefined
  // The schema counts characters; a character is at most two units.
  if (typeof ref !== 'string' || ref.length > 2 * limits.refLength || [...ref].length > limits.refLength) return undefined
  return isWellFormed(ref) ? ref : undefined
}

/** `message` is of our own making, and so not validated again. */
export function encodeServerMessage(subprotocol: Subprotocol, message: ServerMessage): string | Uint8Array {
  return subprotocol === 'chatterbot.v1.msgpack' ? writeMsgpack(message) : JSON.stringify(message)
}

const deltaType = Uint8Array.from([...writeMsgpack('type'), ...writeMsgpack('turn.delta'), ...writeMsgpack('turn_id')])
const attemptKey = writeMsgpack('attempt')
const offsetKey = writeMsgpack('offset')
const endKey = writeMsgpack('end')
const textKey = writeMsgpack('text')

/** The hot path: a `turn.delta`, as encodeServerMessage writes it, without the object. */
export function encodeDelta(subprotocol: Subprotocol, turnId: string, attempt: number, offset: number, end: number, text: string): string | Uint8Array {
  if (subprotocol === 'chatterbot.v1.json') {
    return `{"type":"turn.delta","turn_id":"${turnId}","attempt":${attempt},"offset":${offset},"end":${end},"text":${JSON.stringify(text)}}`
  }
  beginMsgpack()
  writeMapHead(6)
  writeRaw(deltaType)
  writeString(turnId)
  writeRaw(attemptKey)
  writeNumber(attempt)
  writeRaw(offsetKey)
  writeNumber(offset)
  writeRaw(endKey)
  writeNumber(end)
  writeRaw(textKey)
  writeString(text)
  return finishMsgpack()
}
