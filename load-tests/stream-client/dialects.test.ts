import t from 'tap'
import { Chatterbot } from './chatterbot-dialect.ts'
import type { FramedDialect, Listener } from './framed-session.ts'
import { openai, plainSse } from './http-dialects.ts'
import { Centrifugo, PlainWebSocket, SocketIo } from './plain-dialects.ts'
import { plainField } from './plain-field.ts'

/** What is told of these frames, what is sent included. */
function heard(dialect: FramedDialect, frames: readonly string[], question?: string): string[] {
  const told: string[] = []
  const listener: Listener = {
    send: (frame) => told.push(`send ${frame}`),
    ready: () => told.push('ready'),
    text: (text) => told.push(`text ${text}`),
    end: () => told.push('end'),
    fail: (why) => told.push(`fail ${why}`),
  }
  if (question === undefined) dialect.begin(listener)
  else dialect.ask(question, listener)
  for (const frame of frames) dialect.hear(frame, listener)
  return told
}

t.test('plain WebSockets: a token a frame, whatever it has escaped, and an end', async (t) => {
  const dialect = new PlainWebSocket()
  t.same(heard(dialect, []), ['ready'])
  t.same(heard(dialect, ['{"id":1,"token":" a"}', '{"id": 1, "token": "b\\n\\""}', '{"id":1,"done":true}'], 'why?'), ['send {"id":1,"message":"why?"}', 'text  a', 'text b\n"', 'end'])
  t.match(heard(dialect, ['{"error":"no"}'], 'why?').at(-1), /^fail .*no/)
})

t.test('Socket.IO: the handshake, pings, and events', async (t) => {
  const dialect = new SocketIo()
  t.same(heard(dialect, ['0{"sid":"x","upgrades":[]}', '40{"sid":"y"}']), ['send 40', 'ready'])
  t.same(heard(dialect, ['2', '42["token",{"id":1,"token":"a\\""}]', '42["done",{"id":1}]'], 'why?'), ['send 42["message",{"id":1,"message":"why?"}]', 'send 3', 'text a"', 'end'])
  t.match(heard(dialect, ['44{"message":"no"}']).at(-1), /^fail .*no/)
})

t.test('Centrifugo: connected, subscribed, then asked; several replies in a frame', async (t) => {
  const dialect = new Centrifugo('c7')
  t.same(heard(dialect, ['{"id":1,"connect":{"client":"x"}}', '{}', '{"id":2,"subscribe":{}}']), ['send {"id":1,"connect":{}}', 'send {"id":2,"subscribe":{"channel":"c7"}}', 'send {}', 'ready'])
  const frame = ['{"id":3,"rpc":{}}', '{"push":{"channel":"c7","pub":{"data":{"token":"a"}}}}', '{"push":{"channel":"c7","pub":{"data":{"done":true}}}}'].join('\n')
  t.same(heard(dialect, [frame], 'why?'), ['send {"id":3,"rpc":{"method":"chat","data":{"channel":"c7","message":"why?"}}}', 'text a', 'end'])
  t.same(heard(dialect, ['{"id":3,"error":{"code":108,"message":"method not found"}}'], 'why?').at(-1), 'fail method not found')
})

t.test('ChatterBot: text that does not follow what came before is a failure', async (t) => {
  const dialect = new Chatterbot({ user_id: 'ann' })
  const begun = heard(dialect, ['{"type":"welcome"}', '{"type":"conversation.created","conversation_id":5}', '{"type":"conversation.opened","conversation_id":5}'])
  t.same(begun, ['send {"type":"hello","user_id":"ann"}', 'send {"type":"conversation.create"}', 'send {"type":"conversation.open","conversation_id":5}', 'ready'])
  const delta = (offset: number, text: string): string => JSON.stringify({ type: 'turn.delta', turn_id: 't', attempt: 1, offset, end: offset + text.length, text })
  t.same(heard(dialect, ['{"type":"turn.started"}', delta(0, 'ab'), delta(2, 'c'), '{"type":"turn.finished"}'], 'why?').slice(1), ['text ab', 'text c', 'end'])
  t.match(heard(dialect, [delta(0, 'ab'), delta(3, 'd')], 'why?')[2], /^fail text at 3 where 2/)
  t.same(heard(dialect, ['{"type":"error","code":"overloaded","message":"later"}'], 'why?').at(-1), 'fail overloaded: later')
})

t.test('events: text, none, and errors', async (t) => {
  t.equal(plainSse.textOf('{"token":"a"}'), 'a')
  t.equal(plainSse.textOf('{"token": "\\u00e4"}'), 'ä')
  t.throws(() => plainSse.textOf('{"error":"no"}'), /no token/)
  t.equal(openai.textOf('{"choices":[{"index":0,"delta":{"content":" b"}}]}'), ' b')
  t.equal(openai.textOf('{"choices":[{"index":0,"delta":{"content":"\\""}}]}'), '"')
  t.equal(openai.textOf('{"choices":[]}'), null)
  t.throws(() => openai.textOf('{"error":{"message":"no"}}'), /no choices/)
})

t.test('a field is read without parsing only where it stands there plainly', async (t) => {
  t.equal(plainField('{"a":"x","token":"y"}', 'token'), 'y')
  t.equal(plainField('{"a":"\\"token\\":\\"x\\"","token":"y"}', 'token'), 'y')
  for (const json of ['{}', '{"token":1}', '{"token": "y"}', '{"token":"\\n"}', '{"token":"a\\"b"}']) t.equal(plainField(json, 'token'), null, json)
})
