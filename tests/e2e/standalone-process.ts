/** The standalone server as a process: what `npm start` runs, on data of its own. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'undici'
import { ChatClient, createClient, type ClientOptions } from '../../client/client.ts'
import { jsonLineWith, runProgram, startProcess, type RunningProcess, type TestContext } from '../harness/processes.ts'
import { temporaryFolder } from '../harness/guard.ts'

const program = fileURLToPath(new URL('../../standalone/main.js', import.meta.url))

export interface Ready {
  readonly url: string
  readonly port: number
}

export interface Standalone extends RunningProcess<Ready> {
  readonly webSocketUrl: string
}

type Environment = Readonly<Record<string, string>>

export function standaloneCommand(env: Environment) {
  return { command: process.execPath, args: ['--enable-source-maps', program], env: { PORT: '0', LOG_LEVEL: 'warn', CHATTERBOT_TURNS_PER_MINUTE: '1000000', CHATTERBOT_REQUESTS_PER_MINUTE: '1000000', CHATTERBOT_REQUESTS_PER_ADDRESS: '1000000', CHATTERBOT_CONCURRENT_TURNS: '1000000', ...env } }
}

/** Ready, engine included. */
export function startStandalone(t: TestContext | undefined, env: Environment): Promise<Standalone> {
  const found = jsonLineWith('ready')
  return start(t, env, (line) => found(line) as Ready | undefined)
}

/** Listens already; the engine may be missing. */
export function startListening(t: TestContext, env: Environment): Promise<Standalone> {
  return start(t, env, (line) => {
    const [, url] = /^Listening on (\S+)$/.exec(line) ?? []
    return url === undefined ? undefined : { url, port: Number(new URL(url).port) }
  })
}

async function start(t: TestContext | undefined, env: Environment, ready: (line: string) => Ready | undefined): Promise<Standalone> {
  const running = await startProcess(t, { ...standaloneCommand(env), ready, readyWithinMs: 60_000 })
  return Object.assign(running, { webSocketUrl: `${running.ready.url.replace('http', 'ws')}/ws` })
}

/** One that is expected to end by itself. */
export function runStandalone(env: Environment) {
  return runProgram(standaloneCommand(env))
}

/** A data folder of the test's own; removed with it. */
export function dataFolder(t: TestContext): string {
  const folder = temporaryFolder('data')
  t.teardown(() => folder.remove())
  return path.join(folder.path, 'data')
}

/** The SDK over undici's WebSocket. Closed with the test. */
export function connectClient(t: TestContext, url: string, options: Partial<ClientOptions> = {}): ChatClient {
  const client = createClient({ url, WebSocket, backoff: { baseMs: 50, maxMs: 500 }, ...options })
  t.teardown(() => client.close())
  return client
}
