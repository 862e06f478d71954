import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { ChatError, type ErrorCode } from '../errors.ts'
import { writeMsgpack } from '../msgpack/writer.ts'
import { arbitraryOf } from '../testing/schema-arbitrary.ts'
import { decodeCommand, decodeServerMessage, encodeCommand, encodeDelta, encodeServerMessage } from './codec.ts'
import { limits } from './limits.ts'
import { commands, ErrorReply, events, type Command, type CommandType, type ServerMessage } from './messages.ts'
import { subprotocols, type Subprotocol } from './subprotocols.ts'

const json: Subprotocol = 'chatterbot.v1.json'
const msgpack: Subprotocol = 'chatterbot.v1.msgpack'
const commandTypes = Object.keys(commands) as CommandType[]
const validators = new Map(commandTypes.map((type) => [type, Compile(commands[type].command)]))
const anyCommand = fc.oneof(...commandTypes.map((type) => arbitraryOf(commands[type].command))) as fc.Arbitrary<Command>
const serverSchemas: Record<string, TSchema> = { ...events, error: ErrorReply, ...Object.fromEntries(commandTypes.map((type) => [type, commands[type].reply])) }

const toBytes = (frame: string | Uint8Array): Uint8Array => (typeof frame === 'string' ? new TextEncoder().encode(frame) : frame)
const decode = (subprotocol: Subprotocol, frame: unknown) => decodeCommand(subprotocol, subprotocol === json ? toBytes(JSON.stringify(frame)) : writeMsgpack(frame), subprotocol === msgpack)
const decodeText = (text: string) => decodeCommand(json, toBytes(text), false)

const send = { type: 'message.send', ref: 7, conversation_id: 1025, client_message_id: 'c1', text: 'Hello' } as const

for (const subprotocol of subprotocols) {
  for (const type of commandTypes) {
    t.test(`${type} survives ${subprotocol}`, async (t) => {
      fc.assert(
        fc.property(arbitraryOf(commands[type].command), (command) => {
          const decoded = decodeCommand(subprotocol, toBytes(encodeCommand(subprotocol, command as Command)), subprotocol === msgpack)
          t.match(decoded, { ok: true })
          t.strictSame(decoded.ok && decoded.command, command)
        }),
        { numRuns: 40 },
      )
    })
  }
  for (const [name, schema] of Object.entries(serverSchemas)) {
    t.test(`the server's message for ${name} survives ${subprotocol}`, async (t) => {
      fc.assert(
        fc.property(arbitraryOf(schema), (message) => {
          t.strictSame(decodeServerMessage(subprotocol, encodeServerMessage(subprotocol, message as ServerMessage)), message)
        }),
        { numRuns: 40 },
      )
    })
  }
  t.test(`the hot path writes a delta as the general one does, in ${subprotocol}`, async (t) => {
    fc.assert(
      fc.property(arbitraryOf(events['turn.delta']), (message) => {
        const delta = message as Extract<ServerMessage, { type: 'turn.delta' }>
        t.strictSame(encodeDelta(subprotocol, delta.turn_id, delta.attempt, delta.offset, delta.end, delta.text), encodeServerMessage(subprotocol, delta))
      }),
    )
  })
  t.test(`unknown fields are dropped, and __proto__ is one, in ${subprotocol}`, async (t) => {
    const decoded = subprotocol === json
      ? decodeText('{"type":"message.send","ref":7,"conversation_id":1025,"client_message_id":"c1","text":"Hello","later":[{"x":1}],"__proto__":{"ref":8},"params":{"seed":1,"later":2,"__proto__":{"seed":2}},"constructor":1}')
      : decode(subprotocol, { ...send, later: [{ x: 1 }], params: { seed: 1, later: 2 }, ['__proto__']: { ref: 8 }, constructor: 1 })
    t.strictSame(decoded, { ok: true, command: { ...send, params: { seed: 1 } } })
    t.equal(decoded.ok && Object.getPrototypeOf(decoded.command), Object.prototype)
  })
  t.test(`any value gives a valid command or an error of the catalogue, in ${subprotocol}`, async (t) => {
    const likely = fc.record({ type: fc.constantFrom(...commandTypes, 'nonsense', 'toString', '__proto__'), ref: fc.jsonValue(), conversation_id: fc.jsonValue(), text: fc.jsonValue(), params: fc.jsonValue(), cursor: fc.jsonValue() }, { requiredKeys: [], noNullPrototype: true })
    const withoutZero = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
    fc.assert(fc.property(fc.oneof(fc.jsonValue(), likely).map(withoutZero), (frame) => isTotal(t, decode(subprotocol, frame))), { numRuns: 500 })
  })
  t.test(`any bytes give a valid command or an error of the catalogue, in ${subprotocol}`, async (t) => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (data, isBinary) => isTotal(t, decodeCommand(subprotocol, data, isBinary))), { numRuns: 500 })
    fc.assert(
      fc.property(anyCommand, fc.nat(), fc.nat(255), fc.nat(3), (command, where, byte, cut) => {
        const data = toBytes(encodeCommand(subprotocol, command)).slice()
        data[where % data.length] = byte
        isTotal(t, decodeCommand(subprotocol, data.subarray(0, data.length - cut), subprotocol === msgpack))
      }),
      { numRuns: 500 },
    )
  })
  t.test(`the client takes any bytes as a message, as one to ignore, or as bad_frame, in ${subprotocol}`, async (t) => {
    const isFair = (data: string | Uint8Array): boolean => {
      try {
        const message = decodeServerMessage(subprotocol, data)
        return message === null || typeof message.type === 'string'
      } catch (error) {
        return error instanceof ChatError && error.code === 'bad_frame'
      }
    }
    fc.assert(fc.property(fc.oneof(fc.uint8Array(), fc.string(), fc.json()), isFair))
    t.equal(decodeServerMessage(subprotocol, encodeServerMessage(subprotocol, { type: 'later.event', x: 1 } as unknown as ServerMessage)), null)
    for (const type of ['toString', '__proto__']) t.equal(decodeServerMessage(subprotocol, encodeServerMessage(subprotocol, { type } as unknown as ServerMessage)), null)
  })
  t.test(`each fault has its code, its pointer and its ref, in ${subprotocol}`, async (t) => {
    const cases: [string, object, ErrorCode, string | undefined][] = [
      ['no type', { ref: 7 }, 'invalid_field', '/type'],
      ['a type that is no string', { ref: 7, type: 5 }, 'invalid_field', '/type'],
      ['an unknown type', { ref: 7, type: 'later.command' }, 'unknown_type', undefined],
      ['a type that every object has', { ref: 7, type: 'constructor' }, 'unknown_type', undefined],
      ['a missing field', { ref: 7, type: 'turn.stop' }, 'invalid_field', '/turn_id'],
      ['null for an optional field', { ...send, params: null }, 'invalid_field', '/params'],
      ['a string for an id', { ...send, conversation_id: '1025' }, 'invalid_field', '/conversation_id'],
      ['an id of zero', { ...send, conversation_id: 0 }, 'invalid_field', '/conversation_id'],
      ['an id beyond 53 bits', { ...send, conversation_id: 2 ** 60 }, 'invalid_field', '/conversation_id'],
      ['half an id', { ...send, conversation_id: 1.5 }, 'invalid_field', '/conversation_id'],
      ['an array for an object', { ...send, params: [] }, 'invalid_field', '/params'],
      ['a field out of range, deep', { ...send, params: { temperature: 2.1 } }, 'invalid_field', '/params/temperature'],
      ['an item of an array', { ...send, params: { stop: ['a', ''] } }, 'invalid_field', '/params/stop/1'],
      ['a turn id that is no UUIDv7', { type: 'turn.stop', ref: 7, turn_id: '550e8400-e29b-41d4-a716-446655440000' }, 'invalid_field', '/turn_id'],
      ['no text', { ...send, text: '' }, 'text_empty', '/text'],
      ['too much text', { ...send, text: 'é'.repeat(16 * 1024 + 1) }, 'text_too_long', '/text'],
      ['a text with U+0000', { ...send, text: 'a\0' }, 'text_not_well_formed', '/text'],
      ['an empty system prompt', { type: 'conversation.create', ref: 7, system: '' }, 'text_empty', '/system'],
      ['a key with U+0000', { ...send, client_message_id: 'a\0' }, 'invalid_field', '/client_message_id'],
      ['a stop string with U+0000', { ...send, params: { stop: ['a', '\0'] } }, 'invalid_field', '/params/stop/1'],
    ]
    for (const [name, frame, code, pointer] of cases) {
      const decoded = decode(subprotocol, frame)
      t.match(decoded, { ok: false, ref: 7, error: { code } }, name)
      t.equal(!decoded.ok && decoded.pointer, pointer, name)
    }
  })
  t.test(`the longest text fits into a frame of ${subprotocol}, however it is written`, async (t) => {
    const decoded = subprotocol === json ? decodeText(`{"type":"message.send","conversation_id":1025,"client_message_id":"c1","text":"${'\\u0041'.repeat(limits.textBytes)}"}`) : decode(subprotocol, { ...send, text: 'A'.repeat(limits.textBytes) })
    t.match(decoded, { ok: true, command: { text: 'A'.repeat(limits.textBytes) } })
  })
  t.test(`a frame of the wrong kind is a bad frame in ${subprotocol}`, async (t) => {
    const frame = toBytes(encodeCommand(subprotocol, { type: 'ping' }))
    t.match(decodeCommand(subprotocol, frame, subprotocol === json), { ok: false, error: { code: 'bad_frame' } })
    t.throws(() => decodeServerMessage(subprotocol, subprotocol === json ? frame : '{"type":"pong"}'), { code: 'bad_frame' })
  })
  t.test(`a frame above the limit is not even parsed in ${subprotocol}`, async (t) => {
    t.match(decodeCommand(subprotocol, new Uint8Array(limits.frameBytes + 1), subprotocol === msgpack), { ok: false, error: { code: 'frame_too_big' } })
  })
}

t.test('JSON that is not one object of bounded depth in valid UTF-8 is a bad frame', async (t) => {
  const deep = (depth: number): string => `{"type":"ping","later":${'['.repeat(depth)}${']'.repeat(depth)}}`
  for (const text of ['', ' ', 'null', '5', '"ping"', '[]', '[{"type":"ping"}]', '{"type":"ping"', '{"type":"ping"}{"type":"ping"}', '\ufeff{"type":"ping"}', "{'type':'ping'}", '{"type":"ping","x":NaN}', deep(16), deep(100_000)]) {
    t.match(decodeText(text), { ok: false, error: { code: 'bad_frame' } }, text.slice(0, 40))
  }
  t.match(decodeText(deep(15)), { ok: true })
  t.match(decodeCommand(json, Uint8Array.from([...toBytes('{"type":"ping","ref":"'), 0xff, ...toBytes('"}')]), false), { ok: false, error: { code: 'bad_frame' } })
})

t.test('a lone surrogate, which JSON can escape, is refused with the code of its field', async (t) => {
  t.match(decodeText('{"type":"message.send","ref":1,"conversation_id":1025,"client_message_id":"c1","text":"a\\ud83d"}'), { ok: false, ref: 1, error: { code: 'text_not_well_formed' }, pointer: '/text' })
  t.match(decodeText('{"type":"conversation.create","ref":1,"title":"\\udd8a"}'), { ok: false, ref: 1, error: { code: 'invalid_field' }, pointer: '/title' })
  t.strictSame(decodeText('{"type":"ping","ref":"\\udd8a"}').ok, false)
})

t.test('the ref of a refused command is echoed only where it could have been taken', async (t) => {
  const refOf = (ref: unknown): unknown => {
    const decoded = decode(json, { type: 'nonsense', ref })
    return decoded.ok ? 'taken' : decoded.ref
  }
  t.equal(refOf(5.5), 5.5)
  t.equal(refOf('🦊'.repeat(64)), '🦊'.repeat(64), 'counted as the schema counts')
  for (const ref of ['🦊'.repeat(65), 'x'.repeat(65), 'x'.repeat(100_000), null, {}, [1], true, 'a\0']) t.equal(refOf(ref), undefined)
  const notANumber = decode(msgpack, { type: 'ping', ref: 0.5 })
  t.match(notANumber, { ok: true, command: { ref: 0.5 } })
  const nan = Uint8Array.from([0x82, ...writeMsgpack('type'), ...writeMsgpack('ping'), ...writeMsgpack('ref'), 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0])
  const refused = decodeCommand(msgpack, nan, true)
  t.match(refused, { ok: false, error: { code: 'invalid_field' }, pointer: '/ref' })
  t.notOk('ref' in refused)
})

t.test('the schemas are compiled, not interpreted', async (t) => {
  for (const [type, validator] of validators) t.ok(validator.IsAccelerated(), type)
})

function isTotal(t: Test, decoded: ReturnType<typeof decodeCommand>): void {
  if (decoded.ok) t.ok(validators.get(decoded.command.type)?.Check(decoded.command), 'a valid command')
  else t.type(decoded.error, ChatError)
}
