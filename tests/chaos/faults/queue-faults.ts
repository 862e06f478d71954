/** JetStream without room for more. */
import { jetstream, jetstreamManager, JetStreamApiError, StorageType } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { troubleFor, type Fault } from './fault.ts'

const filler = 'chaos-filler'
const megabyte = new Uint8Array(1_000_000)

export const queueFaults: readonly Fault[] = [
  {
    name: 'jetstream-full',
    allowance: {},
    inflict: async (context) => {
      const connection = await connect({ servers: context.services.nats.url })
      try {
        const manager = await jetstreamManager(connection)
        await manager.streams.add({ name: filler, subjects: [filler], storage: StorageType.File })
        try {
          await fill(() => jetstream(connection).publish(filler, megabyte))
          await troubleFor(context, 2_000, 4_000)
        } finally {
          await manager.streams.delete(filler)
        }
      } finally {
        await connection.close()
      }
    },
  },
]

/** Until nothing more is taken, whatever its size. */
async function fill(publish: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await publish()
    } catch (error) {
      if (error instanceof JetStreamApiError) return
      throw error
    }
  }
}
