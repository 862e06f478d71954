import { chownSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { findPostgres, type PostgresPrograms } from '../../cluster/programs/server-programs.ts'
import { serverUser } from '../../cluster/programs/server-user.ts'
import { temporaryFolder } from './guard.ts'
import { freePort } from './ports.ts'
import { runProgram, startProcess, type RunningProcess, type TestContext } from './processes.ts'

/** Speed over surviving a power cut; a SIGKILL of the server still loses nothing. */
const testSettings = {
  fsync: 'off',
  full_page_writes: 'off',
  jit: 'off',
  listen_addresses: '127.0.0.1',
  max_connections: '100',
  shared_buffers: '32MB',
  timezone: 'UTC',
  unix_socket_directories: ''
}

/**
 * A new, empty server on a random port of 127.0.0.1, ready in about 0.7 s; `settings` are those of postgresql.conf.
 * With a test, it ends with the test, its data too; without, at the latest with this process.
 */
export async function startPostgres(t?: TestContext, settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const programs = findPostgres()
  if (programs === undefined) throw new Error('No Postgres of version 15 or later on this machine: `npm test` installs it or says how')
  const folder = temporaryFolder('postgres')
  const user = serverUser()
  if (user !== undefined) chownSync(folder.path, user.uid, user.gid)
  const server = new PostgresServer(programs, user ?? {}, folder.path, await freePort(), { ...testSettings, ...settings })
  t?.teardown(async () => {
    await server.stop()
    folder.remove()
  })
  await server.create()
  return server
}

export class PostgresServer {
  readonly port: number
  readonly #programs: PostgresPrograms
  readonly #user: { readonly uid?: number; readonly gid?: number }
  readonly #folder: string
  readonly #settings: Readonly<Record<string, string>>
  #process: RunningProcess<true> | undefined

  constructor(programs: PostgresPrograms, user: { uid?: number; gid?: number }, folder: string, port: number, settings: Readonly<Record<string, string>>) {
    this.#programs = programs
    this.#user = user
    this.#folder = folder
    this.port = port
    this.#settings = settings
  }

  /** Of the postmaster that runs now. */
  get pid(): number {
    if (this.#process === undefined) throw new Error('Postgres is not running')
    return this.#process.pid
  }

  url(database = 'postgres'): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`
  }

  /** Resolves with the new database's URL. */
  async createDatabase(name: string): Promise<string> {
    const client = new pg.Client({ connectionString: this.url() })
    await client.connect()
    try {
      await client.query(`create database ${pg.escapeIdentifier(name)}`)
    } finally {
      await client.end()
    }
    return this.url(name)
  }

  async create(): Promise<void> {
    const args = ['--pgdata', this.#dataFolder, '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C', '--no-sync']
    const { code, output } = await runProgram({ ...this.#asUser, command: this.#programs.initdb, args })
    if (code !== 0) throw new Error(`initdb ended with code ${code}\n${output}`)
    await this.#start()
  }

  /** A clean shutdown; the data stays for `restart`. */
  async stop(): Promise<void> {
    await this.#process?.stop({ signal: 'SIGINT' })
    this.#process = undefined
  }

  /** SIGKILL, as when the machine's memory runs out. */
  async kill(): Promise<void> {
    await this.#process?.kill()
    this.#process = undefined
  }

  /** On the same port and data; stops cleanly first what still runs. */
  async restart(): Promise<void> {
    await this.stop()
    await this.#start()
  }

  get #dataFolder(): string {
    return path.join(this.#folder, 'data')
  }

  get #asUser() {
    return { ...this.#user, cwd: this.#folder, env: { LC_ALL: 'C', TZ: 'UTC' } }
  }

  async #start(): Promise<void> {
    const settings = Object.entries(this.#settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const args = ['-D', this.#dataFolder, '-p', String(this.port), ...settings]
    const ready = (line: string): true | undefined => (line.includes('database system is ready to accept connections') ? true : undefined)
    for (let attempt = 1; this.#process === undefined; attempt += 1) {
      try {
        this.#process = await startProcess(undefined, { ...this.#asUser, command: this.#programs.postgres, args, ready })
      } catch (error) {
        // The backends of a killed postmaster notice its death a moment later, and hold its shared memory until then.
        if (attempt === 100 || !String(error).includes('still in use')) throw error
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }
}
