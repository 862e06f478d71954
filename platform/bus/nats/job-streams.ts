import { nanos } from '@nats-io/transport-node'
import { AckPolicy, DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType, type ConsumerUpdateConfig, type JetStreamManager, type StreamConfig } from '@nats-io/jetstream'
import { lanes, type JobQueueLimits, type Lane } from '../job-queue.ts'
import { consumerExists, isApiError, makeOrUpdate, streamNameInUse, streamNotFound } from './make-or-update.ts'

/** One consumer a stream: overlapping ones are refused on a work queue. All bridges pull from it. */
export const consumerName = 'bridges'
export const streamName = (lane: Lane): string => `jobs-${lane}`
export const jobSubject = (lane: Lane, turnId: string): string => `jobs.${lane}.${turnId}`

export interface JobStreamOptions extends JobQueueLimits {
  /** Servers that hold each job: 1, or 3 in a cluster. */
  readonly replicas: number
}

/** Another process may take a stream away to make it anew. */
const prepareAttempts = 3

/** When each lane was made: another time tells that it is another lane, whose jobs have the numbers of those before. */
export type LaneTimes = ReadonlyMap<Lane, string>

/** Creates each lane's stream and consumer, or brings them up to date. Any process may, at any time. */
export async function prepareJobStreams(manager: JetStreamManager, options: JobStreamOptions): Promise<LaneTimes> {
  const made = new Map<Lane, string>()
  for (const lane of lanes) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        made.set(lane, await prepareLane(manager, lane, options))
        break
      } catch (error) {
        if (!isApiError(error, streamNotFound) || attempt === prepareAttempts) throw error
      }
    }
  }
  return made
}

async function prepareLane(manager: JetStreamManager, lane: Lane, options: JobStreamOptions): Promise<string> {
  const stream = streamConfig(lane, options)
  await makeOrUpdate<unknown>(manager.streams.add(stream), streamNameInUse, () => update(manager, stream))
  const consumer = consumerConfig(options)
  const durable = { ...consumer, durable_name: consumerName, ack_policy: AckPolicy.Explicit, deliver_policy: DeliverPolicy.All }
  const { created } = await makeOrUpdate(manager.consumers.add(stream.name, durable), consumerExists, () => manager.consumers.update(stream.name, consumerName, consumer))
  return created
}

/** The server changes no stream's storage: one that an earlier version keeps on disk is made anew, and edges publish its jobs again. */
async function update(manager: JetStreamManager, stream: JobStream): Promise<void> {
  const { config } = await manager.streams.info(stream.name)
  if (config.storage === stream.storage) {
    await manager.streams.update(stream.name, stream)
  } else {
    await manager.streams.delete(stream.name)
    await manager.streams.add(stream)
  }
}

type JobStream = Partial<StreamConfig> & { readonly name: string }

function streamConfig(lane: Lane, { laneCapacity, replicas }: JobStreamOptions): JobStream {
  return {
    name: streamName(lane),
    subjects: [jobSubject(lane, '*')],
    retention: RetentionPolicy.Workqueue,
    // A job is a pointer, of which Postgres has the truth: what is lost is published again. On disk each costs the server two thirds more.
    storage: StorageType.Memory,
    num_replicas: replicas,
    // A turn's second job is refused while the first is there.
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    max_msgs_per_subject: 1,
    max_msgs: laneCapacity,
    max_msg_size: 1024,
  }
}

function consumerConfig({ ackWaitMs, deliveredCapacity }: JobStreamOptions): Partial<ConsumerUpdateConfig> {
  return { ack_wait: nanos(ackWaitMs), max_deliver: -1, max_ack_pending: deliveredCapacity }
}
