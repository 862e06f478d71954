/** Ports of edges and bridges whose calls may kill the process. */
import { decodeBeginReply, decodeFinishReply } from '../../../protocol/bus/codec.ts'
import type { Channel, ChannelMessage } from '../../../platform/bus/channel.ts'
import type { Job, JobQueue } from '../../../platform/bus/job-queue.ts'
import type { ConversationStore, ConversationWrite } from '../../../storage/conversation-store.ts'
import type { KillSwitch } from './kill-point.ts'

/** An ack waits for what goes next; it has gone by then in any case. */
const ackMs = 100

/** What an edge does, in the order of a turn's life. */
export const edgeSteps = ['claim', 'commit-accept', 'publish-job', 'commit-begin', 'grant', 'commit-end', 'confirm', 'publish-event'] as const
export const bridgeSteps = ['fetch-job', 'ask-begin', 'send-deltas', 'ask-finish', 'ack-job'] as const

export function mortalStore(store: ConversationStore, kill: KillSwitch): ConversationStore {
  return wrapped(store, {
    write: (write, options) => kill.around(stepOf(write), () => store.write(write, options)),
    claim: (conversationId, options) => kill.around('claim', () => store.claim(conversationId, options)),
  })
}

function stepOf({ accept, begin, ends }: ConversationWrite): string | null {
  if (accept !== undefined) return 'commit-accept'
  if (begin !== undefined) return 'commit-begin'
  return ends === undefined ? null : 'commit-end'
}

export function mortalEdgeChannel(channel: Channel, kill: KillSwitch): Channel {
  return wrapped(channel, {
    publish: (subject, payload) => kill.aroundSend('publish-event', () => channel.publish(subject, payload)),
    subscribe: (subject, handler, options) => channel.subscribe(subject, (message) => handler(mortalMessage(message, kill)), options),
  })
}

function mortalMessage(message: ChannelMessage, kill: KillSwitch): ChannelMessage {
  return {
    subject: message.subject,
    payload: message.payload,
    respond: (payload) => kill.aroundSend(answerStep(message.subject, payload), () => message.respond(payload)),
  }
}

function answerStep(subject: string, payload: Uint8Array): string | null {
  if (isBegin(subject) && decodeBeginReply(payload).type === 'granted') return 'grant'
  return isFinish(subject) && decodeFinishReply(payload).type === 'confirmed' ? 'confirm' : null
}

/** Asked of any edge, or of a certain one. */
const isBegin = (subject: string): boolean => subject.endsWith('.begin')
const isFinish = (subject: string): boolean => subject.endsWith('.finish')

export function mortalPublishing(jobQueue: JobQueue, kill: KillSwitch): JobQueue {
  return wrapped(jobQueue, { publish: (job) => kill.around('publish-job', () => jobQueue.publish(job)) })
}

export function mortalBridgeChannel(channel: Channel, kill: KillSwitch): Channel {
  const stepOfRequest = (subject: string): string | null => (isBegin(subject) ? 'ask-begin' : isFinish(subject) ? 'ask-finish' : null)
  return wrapped(channel, {
    publish: (subject, payload) => kill.aroundSend('send-deltas', () => channel.publish(subject, payload)),
    request: (subject, payload, options) => kill.around(stepOfRequest(subject), () => channel.request(subject, payload, options)),
  })
}

export function mortalFetching(jobQueue: JobQueue, kill: KillSwitch): JobQueue {
  return wrapped(jobQueue, {
    fetch: async (lane, max, options) => {
      const jobs = await jobQueue.fetch(lane, max, options)
      // An empty hand is no step.
      if (jobs.length > 0) await kill.around('fetch-job', () => Promise.resolve())
      return jobs.map((job) => wrapped<Job>(job, { ack: () => kill.aroundSend('ack-job', () => job.ack(), ackMs) }))
    },
  })
}

/** The object with some of its methods replaced; all else is its own. */
function wrapped<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const method = methods[name as keyof T]
      if (method !== undefined) return method
      const own: unknown = Reflect.get(target, name, target)
      return typeof own === 'function' ? (own.bind(target) as unknown) : own
    },
  })
}
