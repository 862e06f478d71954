import type { Config, Environment } from '../../platform/config/config.ts'
import { StartupFault } from '../../platform/lifecycle/startup-fault.ts'
import { natsService } from './nats.ts'
import { postgresService } from './postgres.ts'
import { redisService } from './redis.ts'
import { foundService, type ServiceProgram } from './service-program.ts'

export interface ServiceChoice {
  readonly config: Config
  readonly environment: Environment
  readonly dataFolder: string
  /** That will connect. */
  readonly edges: number
  readonly freePort: () => Promise<number>
}

/** What the configuration names, and programs of this machine for the rest. Rejects with one StartupFault for all that is missing. */
export async function chooseServices({ config, environment, dataFolder, edges, freePort }: ServiceChoice): Promise<ServiceProgram[]> {
  const settled = await Promise.allSettled([
    config.NATS_URL.length > 0 ? foundService('nats', config.NATS_URL.join(',')) : natsService(dataFolder, await freePort(), environment),
    config.REDIS_URL === null ? redisService(await freePort(), environment) : foundService('redis', config.REDIS_URL),
    config.DATABASE_URL.length > 0 ? foundService('postgres', config.DATABASE_URL.join(',')) : postgresService(dataFolder, await freePort(), edges, environment),
  ])
  const faults: StartupFault[] = []
  const found = settled.flatMap((outcome) => {
    if (outcome.status === 'fulfilled') return [outcome.value]
    if (!(outcome.reason instanceof StartupFault)) throw outcome.reason
    faults.push(outcome.reason)
    return []
  })
  const [first] = faults
  if (first === undefined) return found
  if (faults.length === 1) throw first
  const list = (of: (fault: StartupFault) => string): string => faults.map((fault) => `\n  - ${of(fault)}`).join('')
  throw new StartupFault(`${faults.length} services cannot be started:${list(({ message }) => message)}`, list(({ hint }) => hint), { exitCode: first.exitCode })
}
