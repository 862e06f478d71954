/** One server with a database for each of two shards, on files of the cluster's. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { exitCodes, StartupFault } from '../../platform/lifecycle/startup-fault.ts'
import { findPostgres, type PostgresPrograms } from '../programs/server-programs.ts'
import { serverUser } from '../programs/server-user.ts'
import { atLine, type ServiceProgram } from './service-program.ts'

const databases = ['chatterbot_1', 'chatterbot_2']
/** Of an edge on both shards, and some to spare for people. */
const connectionsPerEdge = 30
const spareConnections = 20

interface User {
  readonly uid?: number
  readonly gid?: number
}

/** Made below `folder` the first time. Rejects with StartupFault. */
export async function postgresService(folder: string, port: number, edges: number, environment: NodeJS.ProcessEnv): Promise<ServiceProgram> {
  const programs = findPostgres()
  if (programs === undefined) {
    throw new StartupFault('There is no Postgres of version 15 or later on this machine.', 'Install it (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), or name databases that exist: DATABASE_URL=postgres://user:password@host/name')
  }
  const user = accountFor(folder)
  const env = { ...environment, LC_ALL: 'C', TZ: 'UTC' }
  const home = path.join(folder, 'postgres')
  mkdirSync(home, { recursive: true, mode: 0o700 })
  if (user.uid !== undefined && user.gid !== undefined) chownSync(home, user.uid, user.gid)
  const data = path.join(home, 'data')
  if (!existsSync(data)) await create(programs, data, { cwd: home, env, ...user })

  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: String(edges * connectionsPerEdge + spareConnections) }
  const args = ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  return {
    name: 'postgres',
    url: databases.map((database) => `postgres://postgres@127.0.0.1:${port}/${database}`).join(','),
    program: { command: programs.postgres, args, env, cwd: home, ...user, isReady: atLine('database system is ready to accept connections') },
    // A fast shutdown: connections are closed, and everything is written.
    stopSignal: 'SIGINT',
  }
}

/** Empty unless this process is root, whom Postgres refuses. */
function accountFor(folder: string): User {
  const user = serverUser()
  if (user === undefined) return {}
  for (let above = folder; ; above = path.dirname(above)) {
    const { mode, uid } = statSync(above)
    if ((mode & 0o001) === 0 && uid !== user.uid) {
      throw new StartupFault(`Postgres does not run as root, and the user that it runs as instead has no way into ${above}.`, `Choose another folder with --data-dir, or open this one: chmod o+x ${above}`, { exitCode: exitCodes.config })
    }
    if (above === path.dirname(above)) return user
  }
}

/** As a whole or not at all: the folder gets its name last. */
async function create({ initdb, postgres }: PostgresPrograms, data: string, options: User & { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Promise<void> {
  const scratch = `${data}.new`
  rmSync(scratch, { recursive: true, force: true })
  await run(initdb, ['--pgdata', scratch, '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C'], '', options)
  await run(postgres, ['--single', '-D', scratch, 'postgres'], databases.map((database) => `CREATE DATABASE ${database};\n`).join(''), options)
  renameSync(scratch, data)
}

const keptOutput = 4096

async function run(command: string, args: readonly string[], input: string, options: User & { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Promise<void> {
  const child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'], detached: true, windowsHide: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-keptOutput)))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0 && !/^\S*\s*(ERROR|FATAL):/m.test(output)) return
  throw new StartupFault(`${path.basename(command)} could not make a database (exit code ${code}):\n${output.trimEnd()}`, 'Mend what it names above, or name databases that exist with DATABASE_URL.')
}
