/** JetStream without room for more. */
import { setTimeout as delay } from 'node:timers/promises'
import { jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { troubleFor, type Fault } from './fault.ts'

/** Jobs are in memory, dead letters on disk. */
const fillers = [{ name: 'chaos-filler-memory', storage: StorageType.Memory }, { name: 'chaos-filler-file', storage: StorageType.File }]
const megabyte = new Uint8Array(1_000_000)

export const queueFaults: readonly Fault[] = [
  {
    name: 'jetstream-full',
    allowance: {},
    inflict: async (context) => {
      // Another fault may hit the server meanwhile.
      const connection = await connect({ servers: context.services.nats.url, waitOnFirstConnect: true, maxReconnectAttempts: -1, reconnectTimeWait: 200 })
      try {
        const manager = await jetstreamManager(connection, { checkAPI: false })
        for (const { name, storage } of fillers) {
          await again(() => manager.streams.add({ name, subjects: [name], storage }))
          await fill(() => jetstream(connection).publish(name, megabyte))
        }
        await troubleFor(context, 2_000, 4_000)
        for (const { name } of fillers) await again(() => manager.streams.delete(name))
      } finally {
        await connection.close()
      }
    },
  },
]

/** Until it is done, for as long as any server is away. */
async function again(act: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await act()
      return
    } catch (error) {
      if (tries === 30) throw error
      await delay(500)
    }
  }
}

/** Until nothing more is taken, whatever its size. */
async function fill(publish: () => Promise<unknown>): Promise<void> {
  try {
    for (;;) await publish()
  } catch {
    // It is full, or another fault has got in the way.
  }
}
