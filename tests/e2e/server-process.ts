/** An edge or a bridge as a process, as an operator starts it. */
import { fileURLToPath } from 'node:url'
import { jsonLineWith, runProgram, startProcess, type RunningProcess, type TestContext } from '../harness/processes.ts'

const programs = {
  edge: fileURLToPath(new URL('../../server/main.js', import.meta.url)),
  bridge: fileURLToPath(new URL('../../inference-bridge/main.js', import.meta.url)),
}

export interface ServerReady {
  readonly node: string
  /** Of an edge. */
  readonly port?: number
  readonly status_port: number
}

type Environment = Readonly<Record<string, string>>

export function serverCommand(role: 'edge' | 'bridge', env: Environment) {
  return { command: process.execPath, args: ['--enable-source-maps', programs[role]], env: { PORT: '0', LOG_LEVEL: 'warn', CHATTERBOT_TURNS_PER_MINUTE: '1000000', CHATTERBOT_REQUESTS_PER_MINUTE: '1000000', CHATTERBOT_REQUESTS_PER_ADDRESS: '1000000', CHATTERBOT_CONCURRENT_TURNS: '1000000', CHATTERBOT_STATUS_PORT: '0', CHATTERBOT_NODE_ID: `${role}-1`, ...env } }
}

export function startServer(t: TestContext | undefined, role: 'edge' | 'bridge', env: Environment): Promise<RunningProcess<ServerReady>> {
  const found = jsonLineWith('ready')
  return startProcess(t, { ...serverCommand(role, env), ready: (line) => found(line) as ServerReady | undefined })
}

/** One that is expected to end by itself. */
export function runServer(role: 'edge' | 'bridge', env: Environment) {
  return runProgram(serverCommand(role, env))
}
