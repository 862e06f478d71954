/** Every operation and every command, asked by whoever must not be answered, on a real database. */
import t, { type Test } from 'tap'
import { newWorld } from '../../actors/testing/edges.ts'
import { allOperations } from '../../protocol/docs/operation-groups.ts'
import { ChatError } from '../../protocol/errors.ts'
import { bucketOfId, bucketOfUser, makeId, newTurnId, sequenceOfId } from '../../protocol/ids.ts'
import { permissions } from '../../protocol/permissions.ts'
import { commands, type CommandType } from '../../protocol/websocket/messages.ts'
import { allPermissions, nobody, type Authenticator, type Identity } from '../../server/auth/authenticator.ts'
import { systemClock } from '../../platform/clock.ts'
import { readConfig } from '../../platform/config/config.ts'
import { MemoryLimits } from '../../platform/limits/memory/memory-limits.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { authenticationSettings, createAuthentication } from '../../server/auth/configured.ts'
import { startLiveEdge } from '../../server/testing/live-edge.ts'
import { startTestEdge } from '../../server/testing/test-edge.ts'
import { MemoryCredentials } from '../../storage/testing/memory-credentials.ts'
import { openTestSocket, type TestSocket } from '../../server/testing/test-socket.ts'
import { startPostgres, type PostgresServer } from '../harness/postgres.ts'
import { commandFor, requestFor, type Ids, type WalkedRequest } from './walked-requests.ts'

let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

const operations = Object.entries(allOperations)
const commandTypes = (Object.keys(commands) as CommandType[]).filter((type) => type !== 'hello')
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

/** `ann`: that user, who may do everything; `ann-turns:write`: everything but that. */
const authenticator: Authenticator = {
  isRequired: true,
  authenticate: async ({ token = '' }): Promise<Identity> => {
    const [, userId, lacking] = /^(ann|bob)(?:-(.+))?$/.exec(token) ?? []
    if (userId === undefined) throw new ChatError('unauthenticated')
    return { ...nobody, userId, permissions: new Set([...allPermissions].filter((each) => each !== lacking)) }
  },
  holdingKeys: () => Promise.resolve(new Set()),
}

interface Asked {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

async function start(t: Test) {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world, 'edge-1', { authenticator, models: { models: () => Promise.resolve([{ id: 'small', max_tokens: 4096 }]) } })
  const ask = async ({ method, path, headers, body }: WalkedRequest, token: string | null, more: Readonly<Record<string, string>> = {}): Promise<Asked> => {
    const answer = await fetch(edge.url + path, { method, headers: { ...headers, ...(token === null ? {} : bearer(token)), ...more }, ...(body === undefined ? {} : { body }) })
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() }
  }
  const connect = async (token: string): Promise<TestSocket> => {
    const socket = await openTestSocket({ port: edge.edge.port })
    t.teardown(() => socket.leave())
    t.match(await socket.ask({ type: 'hello', token }), { type: 'welcome' })
    return socket
  }
  return { world, edge, ask, connect }
}

type Started = Awaited<ReturnType<typeof start>>

/** A conversation with one reply. */
async function chatOf(user: string, question: string, answer: string, { world, edge }: Started): Promise<Ids> {
  const created = await edge.post('/stream-chat', { message: question }, bearer(user))
  const run = await world.bridge().run()
  run.say(answer)
  await run.finish()
  const turn = (await (await edge.get(`/turns/${created.headers.get('x-correlation-id')}`, bearer(user))).json()) as { correlation_id: string; conversation_id: number; message_id: number }
  return idsOf(turn.conversation_id, turn.message_id, turn.correlation_id)
}

function idsOf(conversationId: number, messageId: number, turnId: string): Ids {
  return { conversation_id: conversationId, message_id: messageId, parent_id: messageId, before: conversationId, turn_id: turnId, correlation_id: turnId }
}

/** Ids of the same user's shard, and as long, which nothing has. */
function missingBeside({ conversation_id, message_id }: Ids): Ids {
  const later = (id: number): number => makeId(sequenceOfId(id) + 7, bucketOfId(id))
  return idsOf(later(conversation_id), later(message_id), newTurnId(bucketOfUser('ann')))
}

/** What an answer says but for ids, and for what differs from one to the next. */
function told({ status, headers, body }: Asked, ...all: readonly Ids[]): Asked {
  const { date: _, 'x-request-id': __, ratelimit: ___, 'x-ratelimit-remaining-requests': ____, ...rest } = headers
  return { status, headers: rest, body: withoutIds(body, all) }
}

function withoutIds(text: string, all: readonly Ids[]): string {
  return all.flatMap((ids) => Object.entries(ids)).reduce((so, [name, id]) => so.replaceAll(String(id), `<${name.replace('correlation', 'turn')}>`), text)
}

t.test('what is another\'s is answered as what does not exist, and stays as it was', async (t) => {
  const started = await start(t)
  const { ask, edge } = started
  const foreign = await chatOf('ann', 'a secret', 'of two', started)
  const missing = missingBeside(foreign)
  const state = async (): Promise<readonly unknown[]> => {
    const { conversation_id, turn_id } = foreign
    return Promise.all(['/conversations', `/conversations/${conversation_id}/export`, `/turns/${turn_id}`].map(async (path) => (await (await edge.get(path, bearer('ann'))).text()).replace(/\?ticket=\w+/, '')))
  }
  const before = await state()
  let walked = 0
  for (const [id, operation] of operations) {
    const [theirs, nobodys] = [foreign, missing].map((ids) => requestFor(operation, ids, 'bob')) as [WalkedRequest, WalkedRequest]
    if (JSON.stringify(theirs) === JSON.stringify(nobodys)) continue
    walked += 1
    const answer = told(await ask(theirs, 'bob'), foreign, missing)
    t.same(answer, told(await ask(nobodys, 'bob'), foreign, missing), id)
    if (operation.params !== undefined || operation.body !== undefined) t.equal(answer.status, 404, `${id}: ${answer.body}`)
    t.notMatch(answer.body, /secret|of two/, id)
  }
  t.ok(walked >= 10, `${walked} operations name ids`)
  t.same(await state(), before)
})

t.test('nobody acts for another by naming them', async (t) => {
  const { ask } = await start(t)
  const ids = idsOf(makeId(1, bucketOfUser('ann')), makeId(1, bucketOfUser('ann')), newTurnId(bucketOfUser('ann')))
  for (const [id, operation] of operations) {
    if (operation.permission === 'public') continue
    if (operation.headers?.properties['x-user-id'] !== undefined) t.equal((await ask(requestFor(operation, ids, 'ann'), 'bob', { 'X-User-Id': 'ann' })).status, 403, `${id} by header`)
    const named = requestFor(operation, ids, 'ann')
    if (JSON.stringify(named) !== JSON.stringify(requestFor(operation, ids, 'bob'))) t.equal((await ask(named, 'bob')).status, 403, `${id} by name`)
  }
})

t.test('every operation needs the permission that it names, and credentials', async (t) => {
  const { ask } = await start(t)
  const ids = idsOf(makeId(1, 1), makeId(1, 1), newTurnId(1))
  for (const [id, operation] of operations) {
    const { permission } = operation
    if (permission === 'public') continue
    const request = requestFor(operation, ids, 'ann')
    for (const token of [null, 'eve', 'ann-']) t.equal((await ask(request, token)).status, 401, `${id} as ${token}`)
    if (permission === 'any') continue
    // What it is asked does not matter, as that is not looked at.
    const refused = await ask({ ...request, ...(request.body === undefined ? {} : { body: '{' }) }, `ann-${permission}`)
    t.equal(refused.status, 403, id)
    t.match(refused.body, permission, id)
  }
})

t.test('every command needs the permission that it names, and a hello', async (t) => {
  const { connect, edge } = await start(t)
  const ids = idsOf(makeId(1, 1), makeId(1, 1), newTurnId(1))
  const lacking = new Map(await Promise.all(permissions.map(async (permission) => [permission, await connect(`ann-${permission}`)] as const)))
  for (const type of commandTypes) {
    const command = commandFor(type, ids)
    const stranger = await openTestSocket({ port: edge.edge.port })
    t.match(await stranger.ask(command), { type: 'error', code: 'hello_expected' }, type)
    await stranger.leave()
    const { permission } = commands[type]
    if (permission !== null) t.match(await lacking.get(permission)?.ask(command), { type: 'error', code: 'forbidden' }, type)
  }
  const stranger = await openTestSocket({ port: edge.edge.port })
  t.match(await stranger.hello('ann'), { type: 'error', code: 'unauthenticated' })
  t.match(await stranger.closed, { code: 4401 })
})

t.test('over WebSocket, too, what is another\'s is as what does not exist', async (t) => {
  const started = await start(t)
  const { connect } = started
  const foreign = await chatOf('ann', 'a secret', 'of two', started)
  const missing = missingBeside(foreign)
  const own = await chatOf('bob', 'hello', 'there', started)
  const socket = await connect('bob')
  t.match(await socket.ask({ type: 'conversation.open', conversation_id: own.conversation_id }), { type: 'conversation.opened' })
  const reply = async (type: CommandType, ids: Ids): Promise<string> => {
    const { ref: _, ...message } = (await socket.ask(commandFor(type, ids))) as { ref?: unknown }
    return withoutIds(JSON.stringify(message), [foreign, missing])
  }
  let walked = 0
  for (const conversation_id of [undefined, own.conversation_id]) {
    for (const type of commandTypes) {
      const [theirs, nobodys] = [foreign, missing].map((ids) => (conversation_id === undefined ? ids : { ...ids, conversation_id })) as [Ids, Ids]
      if (JSON.stringify(commandFor(type, theirs)) === JSON.stringify(commandFor(type, nobodys))) continue
      walked += 1
      const answer = await reply(type, theirs)
      t.equal(answer, await reply(type, nobodys), type)
      t.notMatch(answer, /secret|of two/, type)
    }
  }
  t.ok(walked >= 12, `${walked} commands name ids`)
})

t.test('who shows no credentials gets nowhere in any mode that asks for them, and everywhere in the one that does not', async (t) => {
  const modes: readonly Readonly<Record<string, string>>[] = [
    { CHATTERBOT_AUTH: 'none' },
    { CHATTERBOT_AUTH: 'api-key' },
    { CHATTERBOT_AUTH: 'jwt', CHATTERBOT_JWT_ISSUER: 'https://id.example.org', CHATTERBOT_JWT_AUDIENCE: 'chat', CHATTERBOT_JWT_SECRET: 's'.repeat(32) },
    { CHATTERBOT_AUTH: 'api-key,jwt', CHATTERBOT_JWT_ISSUER: 'https://id.example.org', CHATTERBOT_JWT_AUDIENCE: 'chat', CHATTERBOT_JWT_SECRET: 's'.repeat(32) },
  ]
  const ids = idsOf(makeId(1, 1), makeId(1, 1), newTurnId(1))
  const logger = createLogger({ level: 'silent', name: 'test' })
  for (const mode of modes) {
    const started: { stop(): Promise<void> }[] = []
    const add = async <S extends { start(): Promise<void>; stop(): Promise<void> }>(service: S): Promise<S> => {
      await service.start()
      started.push(service)
      return service
    }
    const parts = { credentials: new MemoryCredentials(systemClock.now), limits: new MemoryLimits({ monotonic: systemClock.monotonic }), clock: systemClock, logger }
    const { edge } = await startTestEdge(t, await createAuthentication(authenticationSettings(readConfig(mode)), parts, { add }))
    for (const [id, operation] of operations) {
      const { method, path, headers, body } = requestFor(operation, ids, 'ann')
      const answer = await fetch(`http://127.0.0.1:${edge.port}${path}`, { method, headers: { ...headers, Prefer: 'respond-async' }, ...(body === undefined ? {} : { body }) })
      await answer.body?.cancel()
      const isOpen = operation.permission === 'public' || mode['CHATTERBOT_AUTH'] === 'none'
      t.equal(answer.status === 401, !isOpen, `${mode['CHATTERBOT_AUTH']}: ${id} ${answer.status}`)
    }
    for (const service of started) await service.stop()
  }
  await logger.close()
})
