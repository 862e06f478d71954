import { nanos } from '@nats-io/transport-node'
import { AckPolicy, DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType, type ConsumerUpdateConfig, type JetStreamManager, type StreamConfig } from '@nats-io/jetstream'
import { lanes, type JobQueueLimits, type Lane } from '../job-queue.ts'
import { consumerExists, makeOrUpdate, streamNameInUse } from './make-or-update.ts'

/** One consumer a stream: overlapping ones are refused on a work queue. All bridges pull from it. */
export const consumerName = 'bridges'
export const streamName = (lane: Lane): string => `jobs-${lane}`
export const jobSubject = (lane: Lane, turnId: string): string => `jobs.${lane}.${turnId}`

export interface JobStreamOptions extends JobQueueLimits {
  /** Servers that hold each job: 1, or 3 in a cluster. */
  readonly replicas: number
}

/** Creates each lane's stream and consumer, or brings them up to date. Any process may, at any time. */
export async function prepareJobStreams(manager: JetStreamManager, options: JobStreamOptions): Promise<void> {
  for (const lane of lanes) {
    const stream = streamConfig(lane, options)
    await makeOrUpdate(manager.streams.add(stream), streamNameInUse, () => manager.streams.update(stream.name, stream))
    const consumer = consumerConfig(options)
    const durable = { ...consumer, durable_name: consumerName, ack_policy: AckPolicy.Explicit, deliver_policy: DeliverPolicy.All }
    await makeOrUpdate(manager.consumers.add(stream.name, durable), consumerExists, () => manager.consumers.update(stream.name, consumerName, consumer))
  }
}

function streamConfig(lane: Lane, { laneCapacity, replicas }: JobStreamOptions): Partial<StreamConfig> & { readonly name: string } {
  return {
    name: streamName(lane),
    subjects: [jobSubject(lane, '*')],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
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
