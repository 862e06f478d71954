/**
 * A program: PGlite behind Postgres's wire protocol. Arguments: the data folder, and where to listen: the path of a Unix
 * socket, or a port of 127.0.0.1 (0: any). Says on standard output, in one line of JSON, that it is ready or why not.
 * Ends when its standard input does, so that it never outlives who started it.
 */
import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { openDatabase } from './database-folder.ts'
import { prepareDataFolder } from './data-folder.ts'
import { DataFolderError } from './data-folder-error.ts'
import { lockFolder } from './folder-lock.ts'

/** A process that was killed together with its starter may need a moment to end. */
const lockPatienceMs = 3_000
/** Its one user keeps one connection; another may come while the one before is being closed. */
const maxConnections = 4

const [dataFolder, address] = process.argv.slice(2)
if (dataFolder === undefined || address === undefined) throw new Error('usage: main.js <data folder> <socket path or port>')

const say = (message: unknown, said?: () => void): void => void process.stdout.write(`${JSON.stringify(message)}\n`, said)

// For this user alone, whatever the rights of the data folder.
process.umask(0o077)

const stopped = new Promise<void>((resolve) => {
  process.stdin.on('error', () => resolve()).once('close', resolve).resume()
})
// Signals may reach the whole process group; the starter goes on writing until it has stopped, and then ends the input.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

let isReady = false
void stopped.then(() => {
  // Nothing is lost: until it is ready nobody has written.
  if (!isReady) process.exit(0)
})

try {
  prepareDataFolder(dataFolder)
  const release = await lockPatiently(dataFolder)
  const database = await openDatabase(dataFolder)
  endOnFailure(database)
  const port = /^\d+$/.test(address) ? Number(address) : null
  if (port === null) rmSync(address, { force: true })
  const server = new PGLiteSocketServer({ db: database, maxConnections, ...(port === null ? { path: address } : { host: '127.0.0.1', port }) })
  await server.start()
  isReady = true
  say({ ready: true, port: port === null ? null : Number(server.getServerConn().split(':')[1]) })
  await stopped
  await server.stop()
  await database.close()
  if (port === null) rmSync(address, { force: true })
  await release()
  process.exit(0)
} catch (error) {
  const fault = error instanceof DataFolderError ? error : new DataFolderError('did_not_start', `The embedded database did not start: ${String(error)}`)
  say({ error: { code: fault.code, message: fault.message, holderPid: fault.holderPid } }, () => process.exit(fault.exitCode))
}

async function lockPatiently(folder: string): Promise<() => Promise<void>> {
  for (const deadline = performance.now() + lockPatienceMs; ; ) {
    try {
      return await lockFolder(folder)
    } catch (error) {
      if (!(error instanceof DataFolderError) || performance.now() > deadline) throw error
      await delay(100)
    }
  }
}

/** Statements that fail are answered; when the engine itself fails, its state is lost, and the socket server would wait for it for ever. */
function endOnFailure(database: Awaited<ReturnType<typeof openDatabase>>): void {
  const execute = database.execProtocolRawStream.bind(database)
  database.execProtocolRawStream = async (...args) => {
    try {
      await execute(...args)
    } catch (error) {
      process.stderr.write(`the embedded database failed: ${String(error)}\n`)
      process.exit(1)
    }
  }
}
