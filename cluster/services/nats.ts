import path from 'node:path'
import { StartupFault } from '../../platform/lifecycle/startup-fault.ts'
import { natsServerProgram } from '../programs/nats-program.ts'
import { atLine, type ServiceProgram } from './service-program.ts'

/** With JetStream on files below `folder`. Rejects with StartupFault where there is no nats-server. */
export async function natsService(folder: string, port: number, env: NodeJS.ProcessEnv): Promise<ServiceProgram> {
  const command = await natsServerProgram().catch((error: Error) => {
    throw new StartupFault(error.message, 'Or name one that runs: NATS_URL=nats://127.0.0.1:4222', { cause: error })
  })
  const args = ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', path.join(folder, 'nats')]
  return { name: 'nats', url: `nats://127.0.0.1:${port}`, program: { command, args, env, isReady: atLine('Server is ready') }, stopSignal: 'SIGTERM' }
}
