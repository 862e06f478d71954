import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawn, type ChildProcess } from 'node:child_process'
import t from 'tap'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { guardProcess, temporaryFolder } from '../../tests/harness/guard.ts'
import type { TestContext } from '../../tests/harness/processes.ts'
import { evenShards } from '../postgres/shard-map.ts'
import { createPostgresStorage, type PostgresStorage } from '../postgres/storage.ts'
import { acceptTurn, endTurn, ownConversation } from '../testing/writes.ts'
import { lockFolder } from './folder-lock.ts'
import { EmbeddedPostgres } from './supervisor.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())
t.setTimeout(300_000)

function newFolder(t: TestContext): string {
  const folder = temporaryFolder('embedded')
  t.teardown(() => folder.remove())
  return path.join(folder.path, 'data')
}

function embeddedIn(t: TestContext, dataFolder: string): EmbeddedPostgres {
  const embedded = new EmbeddedPostgres({ dataFolder, logger })
  t.teardown(() => embedded.stop())
  return embedded
}

async function storageOn(t: TestContext, { url }: EmbeddedPostgres): Promise<PostgresStorage> {
  const storage = createPostgresStorage({ shards: evenShards([url], { embedded: true }), node: 'node-1', bootId: randomUUID(), logger, clock: systemClock })
  t.teardown(() => storage.stop())
  await storage.start()
  return storage
}

// Booting PGlite takes seconds of a processor: these tests go through the life of one database.
const folder = newFolder(t)
let embedded: EmbeddedPostgres
t.before(async () => {
  embedded = embeddedIn(t, folder)
  await Promise.all([embedded.start(), embedded.start()])
})

t.test('only this user can reach it', { skip: process.platform === 'win32' }, (t) => {
  const socketFolder = new URL(embedded.url).searchParams.get('host') as string
  t.equal(socketFolder, path.join(folder, 'run'))
  t.ok(existsSync(path.join(socketFolder, '.s.PGSQL.5432')))
  t.same([socketFolder, folder].map((each) => statSync(each).mode & 0o777), [0o700, 0o700])
  t.end()
})

t.test('a second process on the folder is refused, and told who has it', async (t) => {
  const second = embeddedIn(t, path.join(folder, '..', 'data') + path.sep)
  await t.rejects(second.start(), { code: 'folder_in_use', holderPid: embedded.pid, message: new RegExp(`process ${embedded.pid} `), exitCode: 78 })
  await second.stop()
  await (await storageOn(t, embedded)).stop()
})

t.test('killed at random under writes, it comes back by itself, and nothing acknowledged is lost', async (t) => {
  const { url } = embedded
  const { store } = await storageOn(t, embedded)
  const owned = await ownConversation(store)
  const contents: string[] = []
  for (let kill = 0; kill < 2; kill += 1) {
    for (let n = 0; n < 10; n += 1) {
      const accept = acceptTurn(owned.id, { content: `${kill}.${n}` })
      if (n === 5) process.kill(embedded.pid as number, 'SIGKILL')
      t.equal((await owned.write({ accept })).status, 'committed')
      t.equal((await owned.write({ ends: [endTurn(accept.turnId, 0, `reply ${kill}.${n}`)] })).status, 'committed')
      contents.push(`${kill}.${n}`, `reply ${kill}.${n}`)
    }
  }
  t.equal(embedded.url, url)
  t.same((await store.messagesBefore(owned.id, { limit: 100, maxBytes: 1 << 20 })).messages.map(({ content }) => content), contents)
})

t.test('a stop keeps everything, may be repeated, and frees the folder', async (t) => {
  const storage = await storageOn(t, embedded)
  const { conversationId } = await storage.store.createConversation({ userId: 'ann', clientConversationId: 'c', title: 'kept', model: null, system: null })
  await storage.stop()
  const pid = embedded.pid as number
  await Promise.all([embedded.stop(), embedded.stop()])
  await embedded.stop()
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  t.same(readdirSync(path.join(folder, 'run')), [])
  const next = embeddedIn(t, folder)
  await next.start()
  const { store, stop } = await storageOn(t, next)
  t.match(await store.conversation(conversationId), { title: 'kept' })
  await stop()
  await next.stop()
})

t.test('a folder that cannot be used is refused with what is wrong with it, and left as it is', async (t) => {
  const inside = path.join(folder, 'postgres')
  writeFileSync(path.join(inside, 'PG_VERSION'), '17\n')
  await t.rejects(embeddedIn(t, folder).start(), { code: 'folder_of_other_version', message: /Postgres 17/ })
  rmSync(path.join(inside, 'PG_VERSION'))
  await t.rejects(embeddedIn(t, folder).start(), { code: 'folder_damaged', message: /PG_VERSION/, hint: /copy of the folder/ })
  writeFileSync(path.join(inside, 'PG_VERSION'), '18\n')
  truncateSync(path.join(inside, 'global', 'pg_control'), 100)
  await t.rejects(embeddedIn(t, folder).start(), { code: 'folder_damaged' })
  t.equal(statSync(path.join(inside, 'global', 'pg_control')).size, 100)
  const file = path.join(folder, 'file')
  writeFileSync(file, '')
  await t.rejects(embeddedIn(t, path.join(file, 'data')).start(), { code: 'folder_not_writable', message: /ENOTDIR/, hint: /right to write/ })
})

t.test('in a folder too deep for a socket, it listens in a temporary one of this user', { skip: process.platform === 'win32' }, async (t) => {
  const deep = path.join(newFolder(t), 'd'.repeat(90))
  const far = embeddedIn(t, deep)
  await far.start()
  const elsewhere = new URL(far.url).searchParams.get('host') as string
  t.notOk(elsewhere.startsWith(deep))
  t.equal(statSync(elsewhere).mode & 0o777, 0o700)
  await storageOn(t, far).then((storage) => storage.stop())
  await far.stop()
  t.notOk(existsSync(elsewhere))
})

t.test('stopped before it was started, or while it starts, it leaves no process', async (t) => {
  const never = embeddedIn(t, newFolder(t))
  await never.stop()
  await never.start()
  t.equal(never.pid, null)
  const soon = embeddedIn(t, newFolder(t))
  const starting = soon.start().catch((error: unknown) => error)
  await soon.stop()
  await starting
  t.equal(soon.pid, null)
})

t.test('a database whose first start was cut short is made anew', async (t) => {
  const dataFolder = newFolder(t)
  const inside = path.join(dataFolder, 'postgres')
  const cut = embeddedIn(t, dataFolder)
  const starting = cut.start().catch((error: unknown) => error)
  while (!existsSync(path.join(inside, 'base'))) await new Promise((resolve) => setTimeout(resolve, 5))
  process.kill(cut.pid as number, 'SIGKILL')
  t.match(await starting, { code: 'did_not_start' })
  await cut.stop()
  const again = embeddedIn(t, dataFolder)
  await again.start()
  t.match(await (await storageOn(t, again)).store.createConversation({ userId: 'ann', clientConversationId: null, title: null, model: null, system: null }), { userId: 'ann' })
})

t.test('the lock of a killed process is free, that of a living one is not', async (t) => {
  const folder = newFolder(t)
  mkdirSync(folder)
  const module = fileURLToPath(new URL('folder-lock.js', import.meta.url))
  const source = `import { lockFolder } from ${JSON.stringify(module)}; await lockFolder(${JSON.stringify(folder)}); console.log('held'); setInterval(() => {}, 1000)`
  const holder: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  guardProcess(holder)
  await once(holder.stdout as NonNullable<typeof holder.stdout>, 'data')
  await t.rejects(lockFolder(folder), { code: 'folder_in_use', holderPid: holder.pid })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const release = await lockFolder(folder)
  t.equal(Number(readFileSync(path.join(folder, 'holder.pid'), 'utf8')), process.pid)
  await t.rejects(lockFolder(folder), { code: 'folder_in_use', holderPid: process.pid })
  await release()
  await (await lockFolder(folder))()
})

t.test('it ends with the process that started it, even by SIGKILL', async (t) => {
  const dataFolder = newFolder(t)
  const modules = ['supervisor.js', '../../platform/logging/logger.js'].map((name) => JSON.stringify(fileURLToPath(new URL(name, import.meta.url))))
  const source = `
    import { EmbeddedPostgres } from ${modules[0]}
    import { createLogger } from ${modules[1]}
    const embedded = new EmbeddedPostgres({ dataFolder: ${JSON.stringify(dataFolder)}, logger: createLogger({ level: 'silent', name: 'test' }) })
    await embedded.start()
    console.log(embedded.pid)`
  const starter: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  guardProcess(starter)
  const [pid] = (await once(starter.stdout as NonNullable<typeof starter.stdout>, 'data')) as [Buffer]
  const next = embeddedIn(t, dataFolder)
  starter.kill('SIGKILL')
  await next.start()
  t.not(next.pid, Number(pid))
  await (await storageOn(t, next)).stop()
})
