/**
 * The embedded database as a service: a child process, started again when it dies, that ends with this process.
 *
 * Who can reach it: on POSIX only this user, through a Unix socket in a folder of mode 0700. Windows has no such thing
 * that `pg` can use: there it listens on a random port of 127.0.0.1, and, as PGlite knows no passwords, every user of
 * the machine could connect.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once as onceEvent } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { once } from '../../platform/lifecycle/once.ts'
import type { Service } from '../../platform/lifecycle/service.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { DataFolderError, isDataFolderErrorCode } from './data-folder-error.ts'
import { prepareDataFolder } from './data-folder.ts'

const readyWithinMs = 60_000
const stopWithinMs = 10_000
const firstRestartMs = 100
const longestRestartMs = 5_000
/** Of a Unix socket's path, with its closing zero: 104 on macOS, 108 on Linux. */
const socketPathBytes = 103
/** `pg` looks for a socket of this name in the folder that it is told. */
const socketName = '.s.PGSQL.5432'

export interface EmbeddedPostgresOptions {
  /** Made where it does not exist. */
  readonly dataFolder: string
  readonly logger: Logger
}

interface Address {
  /** For the child's command line. */
  readonly argument: string
  readonly url: string
}

export class EmbeddedPostgres implements Service {
  readonly name = 'embedded postgres'
  readonly #options: EmbeddedPostgresOptions
  readonly #stopping = new AbortController()
  #temporaryFolder: string | null = null
  #address: Address | null = null
  #child: ChildProcess | null = null
  #supervision: Promise<void> = Promise.resolve()

  constructor(options: EmbeddedPostgresOptions) {
    this.#options = options
  }

  /** For a pool of one connection. Known once started; stays the same. */
  get url(): string {
    if (this.#address === null) throw new Error('the embedded database has not been started')
    return this.#address.url
  }

  /** Of the process that runs now, or null between two. */
  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** Rejects with DataFolderError. */
  readonly start = once(async () => {
    if (this.#stopping.signal.aborted) return
    prepareDataFolder(this.#options.dataFolder)
    const address = process.platform === 'win32' ? null : socketAddress(this.#openSocketFolder())
    const { child, port } = await this.#launch(address?.argument ?? '0')
    this.#address = address ?? { argument: String(port), url: `postgres://postgres@127.0.0.1:${port}/postgres` }
    this.#supervision = this.#supervise(child, this.#address)
  })

  /** The child closes its files first; it is killed where that takes longer than 10 s. */
  readonly stop = once(async () => {
    this.#stopping.abort()
    const child = this.#child
    const timer = setTimeout(() => child?.kill('SIGKILL'), stopWithinMs)
    child?.stdin?.end()
    await this.start().catch(() => undefined)
    await this.#supervision
    clearTimeout(timer)
    if (this.#temporaryFolder !== null) rmSync(this.#temporaryFolder, { recursive: true, force: true })
  })

  async #supervise(first: ChildProcess, address: Address): Promise<void> {
    for (let child: ChildProcess | null = first; child !== null; child = await this.#restart(address)) {
      await exitOf(child)
      this.#child = null
      if (this.#stopping.signal.aborted) return
      this.#options.logger.error({ code: child.exitCode, signal: child.signalCode }, 'the embedded database ended; it is started again')
    }
  }

  /** Null once this service stops. */
  async #restart(address: Address): Promise<ChildProcess | null> {
    const { signal } = this.#stopping
    for (let pauseMs = firstRestartMs; ; pauseMs = Math.min(longestRestartMs, pauseMs * 2)) {
      await delay(pauseMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return null
      try {
        return (await this.#launch(address.argument)).child
      } catch (error) {
        this.#options.logger.error({ err: error }, 'the embedded database did not start again')
      }
    }
  }

  /** Resolves once the child is ready; rejects with DataFolderError once it has ended. */
  async #launch(address: string): Promise<{ readonly child: ChildProcess; readonly port: number | null }> {
    const { dataFolder, logger } = this.#options
    const program = fileURLToPath(new URL('main.js', import.meta.url))
    const child = spawn(process.execPath, [program, dataFolder, address], { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
    this.#child = child
    // Ends before its input does where it fails; its exit tells.
    child.stdin.on('error', () => {})
    if (this.#stopping.signal.aborted) child.stdin.end()
    createInterface({ input: child.stderr }).on('line', (line) => logger.warn({ line }, 'the embedded database says'))
    const timer = setTimeout(() => child.kill('SIGKILL'), readyWithinMs)
    try {
      return { child, port: await readiness(child) }
    } catch (error) {
      child.kill('SIGKILL')
      await exitOf(child)
      this.#child = null
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** In the data folder, where the path is short enough. It may be another process's that runs already: the child finds that out. */
  #openSocketFolder(): string {
    const own = path.resolve(this.#options.dataFolder, 'run')
    if (Buffer.byteLength(path.join(own, socketName)) < socketPathBytes) {
      mkdirSync(own, { recursive: true })
      chmodSync(own, 0o700)
      return own
    }
    this.#temporaryFolder = mkdtempSync(path.join(os.tmpdir(), 'chatterbot-'))
    return this.#temporaryFolder
  }
}

function socketAddress(folder: string): Address {
  return { argument: path.join(folder, socketName), url: `postgres://postgres@localhost/postgres?host=${encodeURIComponent(folder)}` }
}

interface ChildMessage {
  readonly ready?: true
  /** Null for a Unix socket. */
  readonly port?: number | null
  readonly error?: { readonly code: string; readonly message: string; readonly holderPid: number | null }
}

/** Resolves with the port, null for a Unix socket, once the child is ready; rejects with DataFolderError once it has ended. */
async function readiness(child: ChildProcess): Promise<number | null> {
  let failure: DataFolderError | null = null
  const ready = new Promise<number | null>((resolve) => {
    if (child.stdout === null) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = messageOf(line)
      if (message?.ready === true) resolve(message.port ?? null)
      if (message?.error !== undefined && isDataFolderErrorCode(message.error.code)) failure = new DataFolderError(message.error.code, message.error.message, { holderPid: message.error.holderPid })
    })
  })
  const ended = onceEvent(child, 'close').then(() => {
    throw failure ?? new DataFolderError('did_not_start', `The embedded database ended (${child.signalCode ?? `code ${child.exitCode}`}) before it was ready.`)
  })
  return Promise.race([ready, ended])
}

/** The engine may print lines of its own. */
function messageOf(line: string): ChildMessage | null {
  if (!line.startsWith('{')) return null
  try {
    return JSON.parse(line) as ChildMessage
  } catch {
    return null
  }
}

async function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await onceEvent(child, 'close')
}
