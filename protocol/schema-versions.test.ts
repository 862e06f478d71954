import t from 'tap'
import Type from 'typebox'
import { busMessages } from './bus/messages.ts'
import { busVersion } from './bus/subjects.ts'
import { schemaVersions } from './schema-versions.ts'
import { schemaHash } from './testing/schema-hash.ts'
import { commands, ErrorReply, events } from './websocket/messages.ts'
import { subprotocols } from './websocket/subprotocols.ts'

t.test('the WebSocket schemas change on purpose only', async (t) => {
  t.equal(
    schemaHash({ commands, events, ErrorReply }),
    schemaVersions.websocket.sha256,
    'The WebSocket schemas are not those of chatterbot.v1 as it is written down. v1 only ever adds: where clients and servers of before still understand every message (a new message, a new optional field), put the actual hash into protocol/schema-versions.ts and generate the docs anew (protocol/docs/generate.ts). Anything else needs a new subprotocol beside this one.',
  )
  for (const subprotocol of subprotocols) t.ok(subprotocol.startsWith(`${schemaVersions.websocket.version}.`))
})

t.test('the bus schemas change on purpose only', async (t) => {
  t.equal(
    schemaHash(busMessages),
    schemaVersions.bus.sha256,
    'The bus schemas are not those of this busVersion as they are written down. Edges and bridges of two versions run side by side during an upgrade. Where those of before still understand every message that they are sent (a new message, a new optional field), put the actual hash into protocol/schema-versions.ts. Otherwise raise busVersion (protocol/bus/subjects.ts), keep every message of the version before readable, and put the version there too.',
  )
  t.equal(schemaVersions.bus.version, busVersion)
})

t.test('the hash sees what is validated, and nothing else', async (t) => {
  const hash = schemaHash(Type.Object({ a: Type.String(), description: Type.Optional(Type.Number()) }))
  t.equal(schemaHash(Type.Object({ description: Type.Optional(Type.Number()), a: Type.String({ description: 'said otherwise' }) })), hash, 'order and descriptions')
  t.not(schemaHash(Type.Object({ a: Type.String({ maxLength: 5 }), description: Type.Optional(Type.Number()) })), hash, 'a keyword')
  t.not(schemaHash(Type.Object({ a: Type.String(), description: Type.Number() })), hash, 'a field that is required')
  t.not(schemaHash(Type.Object({ a: Type.String() })), hash, 'a field called description')
})
