import { StartupFault } from '../../platform/lifecycle/startup-fault.ts'
import { findRedisServer } from '../programs/server-programs.ts'
import { atLine, type ServiceProgram } from './service-program.ts'

/** Only a cache: nothing on disk, and the least recently used goes first. */
const settings = ['--save', '', '--appendonly', 'no', '--maxmemory', '256mb', '--maxmemory-policy', 'allkeys-lru']

/** Rejects with StartupFault where there is no redis-server. */
export async function redisService(port: number, env: NodeJS.ProcessEnv): Promise<ServiceProgram> {
  const command = findRedisServer()
  if (command === undefined) {
    throw new StartupFault('There is no redis-server of version 7 or later on this machine.', 'Install it (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), or name one that runs: REDIS_URL=redis://127.0.0.1:6379')
  }
  const args = ['--bind', '127.0.0.1', '--port', String(port), ...settings]
  return { name: 'redis', url: `redis://127.0.0.1:${port}`, program: { command, args, env, isReady: atLine('Ready to accept connections') }, stopSignal: 'SIGTERM' }
}
