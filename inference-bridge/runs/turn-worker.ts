/**
 * Works off one job: asks the turn's owner for the grant, generates, brings the end home, and only then acks. An ack that is
 * lost brings the job again, and then its turn is gone.
 *
 * | what happens | the job |
 * |---|---|
 * | the end is committed, or the turn had ended before | acked |
 * | the owner stopped the run, or another run took its place | neither: who did so has ended the turn or has another job for it |
 * | nothing can be begun now, the conversation cannot be read, or this bridge stops | naked |
 */
import { isTurnId } from '../../protocol/ids.ts'
import { setMaxListeners } from 'node:events'
import type { BeginGranted, BeginReply } from '../../protocol/bus/begin.ts'
import { BusMessageError, decodeBeginReply, encodeBus } from '../../protocol/bus/codec.ts'
import { beginSubject, beginSubjectOf, busVersion } from '../../protocol/bus/subjects.ts'
import { BusError } from '../../platform/bus/channel.ts'
import type { Job } from '../../platform/bus/job-queue.ts'
import { WholeTokens } from '../generation/whole-tokens.ts'
import { askEdge } from './ask-edge.ts'
import { backoffMs } from './backoff.ts'
import { deliverFinish } from './finish-delivery.ts'
import { ReplyGenerator } from './reply-generator.ts'
import { Run } from './run.ts'
import type { RunDependencies } from './run-dependencies.ts'
import type { RunRegistry } from './run-registry.ts'
import { failed } from './turn-outcome.ts'

/** What the scheduler is told of a job's course. */
export interface JobProgress {
  /** The engine is done with it; what is left waits for the owner only. */
  generated(): void
}

/** Attempts of one job by this bridge: people see each begin anew, so it is not tried for ever. */
const maxAttempts = 3
/** What is known of more models than this is forgotten. A bridge serves a few. */
const maxModels = 16

export class TurnWorker {
  readonly #dependencies: RunDependencies
  readonly #registry: RunRegistry
  readonly #whole = new Map<string, WholeTokens>()
  readonly #stopping = new AbortController()

  constructor(dependencies: RunDependencies, registry: RunRegistry) {
    this.#dependencies = dependencies
    this.#registry = registry
    // Every begin that is under way listens.
    setMaxListeners(0, this.#stopping.signal)
  }

  /** Every job under way is handed over, at once, with all that it has. */
  stop(): void {
    this.#stopping.abort()
    for (const run of this.#registry.runs()) {
      this.#dependencies.publisher.flush(run)
      run.handOver()
    }
  }

  /** Resolves when this bridge has no more to do with the job. */
  async work(job: Job, progress: JobProgress): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const grant = await this.#begin(job, attempt > 1)
      if (grant === null) return
      if (this.#stopping.signal.aborted || attempt > maxAttempts) {
        job.nak(this.#stopping.signal.aborted ? 0 : backoffMs(job.deliveries, this.#dependencies.timing.busRetry))
        return
      }
      if (canGoOn(grant) && (await this.#run(job, grant, progress, attempt)) === 'done') return
    }
  }

  /** `lost`: a new attempt is to be asked for. */
  async #run(job: Job, grant: BeginGranted, progress: JobProgress, attempt: number): Promise<'done' | 'lost'> {
    const { publisher, metrics, logger, timing, tracer } = this.#dependencies
    const whole = this.#wholeTokens(grant.model)
    const span = tracer.span('run', grant.traceparent ?? null, 'server', { 'chatterbot.turn_id': job.turnId, 'chatterbot.run': grant.run, 'chatterbot.attempt': grant.attempt })
    const run = new Run(job, grant, whole, span)
    const generator = new ReplyGenerator(run, this.#dependencies, whole)
    let fault: string | undefined = 'stopped'
    this.#registry.add(run)
    publisher.add(run)
    try {
      const result = await generator.generate()
      if (result.type === 'lost' && attempt < maxAttempts) return 'lost'
      if (result.type === 'no_context') {
        job.nak(backoffMs(job.deliveries, timing.busRetry))
        return 'done'
      }
      if (result.type !== 'stopped') {
        const outcome = result.type === 'lost' ? failed('engine_unavailable') : result.outcome
        fault = outcome.type === 'failed' ? outcome.error.code : undefined
        progress.generated()
        const finish = await deliverFinish(run, { outcome, usage: generator.usage, cached: generator.cached }, this.#dependencies)
        if (finish === 'confirmed') {
          metrics.runEnded(outcome.type === 'finished' ? outcome.reason : outcome.error.code, run.generation.ids.count)
          generator.keepResult()
          job.ack()
          return 'done'
        }
      }
      if (run.stopped === 'handed_over') job.nak(0)
      metrics.runEnded(run.stopped ?? 'dropped', run.generation.ids.count)
      logger.info({ turnId: run.turnId, run: run.number, how: run.stopped ?? 'dropped' }, 'run stopped')
      return 'done'
    } finally {
      this.#registry.remove(run)
      publisher.remove(run)
      span.end({ 'chatterbot.tokens': run.generation.ids.count }, fault)
    }
  }

  /** The grant, or null where the job was disposed of. */
  async #begin(job: Job, fresh: boolean): Promise<BeginGranted | null> {
    const { bridge, channel, replicas, timing, logger } = this.#dependencies
    if (!isTurnId(job.turnId)) {
      // No process of ours has published it, and no edge will ever answer for it.
      logger.error({ conversationId: job.conversationId }, 'a job of no turn was discarded')
      job.ack()
      return null
    }
    const model = replicas.defaultModel
    if (model === null) {
      job.nak(backoffMs(job.deliveries, timing.busRetry))
      return null
    }
    const request = { v: busVersion, turn_id: job.turnId, conversation_id: job.conversationId, bridge, default_model: model, ...(fresh ? { fresh } : {}) }
    let reply: BeginReply
    try {
      // Of an hour ago, where the job was delivered before: any edge knows better then.
      const subjects = { known: job.edge === undefined || job.deliveries > 1 ? null : beginSubjectOf(job.edge), any: beginSubject }
      reply = decodeBeginReply(await askEdge(channel, subjects, encodeBus(request), { timeoutMs: timing.busRequestMs, signal: this.#stopping.signal }))
    } catch (error) {
      if (!(error instanceof BusError || error instanceof BusMessageError)) throw error
      const stopping = this.#stopping.signal.aborted
      if (!stopping) logger.warn({ turnId: job.turnId, reason: error.message }, 'begin not answered')
      job.nak(stopping ? 0 : backoffMs(job.deliveries, timing.busRetry))
      return null
    }
    switch (reply.type) {
      case 'granted':
        return reply
      case 'gone':
        job.ack()
        return null
      case 'busy':
        job.nak(reply.retry_ms)
        return null
    }
  }

  #wholeTokens(model: string): WholeTokens {
    let whole = this.#whole.get(model)
    if (whole === undefined) {
      whole = new WholeTokens()
      if (this.#whole.size >= maxModels) this.#whole.delete(this.#whole.keys().next().value as string)
      this.#whole.set(model, whole)
    }
    return whole
  }
}

/** Shown text can be gone on from only by its ids, and by the model that wrote it. */
function canGoOn({ resume, model }: BeginGranted): boolean {
  if (resume === null || (resume.text === '' && resume.token_ids.byteLength === 0)) return true
  return resume.token_ids.byteLength > 0 && resume.model === model
}
