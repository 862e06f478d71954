/** Brings the end of a run to the turn's owner, for as long as it takes: until it is committed, the reply is kept here. */
import { BusMessageError, decodeFinishReply, encodeBus } from '../../protocol/bus/codec.ts'
import type { FinishReply, Outcome } from '../../protocol/bus/finish.ts'
import { busVersion, finishSubject, finishSubjectOf } from '../../protocol/bus/subjects.ts'
import type { Usage } from '../../protocol/websocket/fields.ts'
import { BusError } from '../../platform/bus/channel.ts'
import { askEdge } from './ask-edge.ts'
import { backoffMs, pause } from './backoff.ts'
import type { Run } from './run.ts'
import type { RunDependencies } from './run-dependencies.ts'

export interface RunEnd {
  readonly outcome: Outcome
  readonly usage: Usage | null
  /** The reply was known, and not generated. */
  readonly cached: boolean
}

/** `confirmed`: committed. `dropped`: the turn is not this run's to end. `stopped`: by the run's own stop. */
export type FinishResult = 'confirmed' | 'dropped' | 'stopped'

export async function deliverFinish(run: Run, { outcome, usage, cached }: RunEnd, dependencies: RunDependencies): Promise<FinishResult> {
  const { bridge, channel, publisher, timing, logger } = dependencies
  const { text } = run.generation
  // From what went out before the last delta: that one is still under way, and text that the owner has twice harms nothing.
  let offset = Math.min(run.sent.text, text.length)
  publisher.flush(run)
  for (let retry = 0; run.stopped === null; ) {
    run.finishGoesOut()
    const request = {
      v: busVersion,
      turn_id: run.turnId,
      conversation_id: run.conversationId,
      bridge,
      run: run.number,
      offset,
      text: text.slice(offset),
      outcome,
      usage,
      model: run.grant.model,
      cached,
      cost_usd: null,
    }
    let waitMs = 0
    // One that did not answer, or could not, may not be the owner any more: the others know who is.
    const subjects = { known: retry === 0 ? finishSubjectOf(run.edge) : null, any: finishSubject }
    const reply = await ask(() => askEdge(channel, subjects, encodeBus(request), { timeoutMs: timing.busRequestMs }))
    if (reply instanceof Error) {
      logger.warn({ turnId: run.turnId, run: run.number, reason: reply.message }, 'finish not answered')
    } else if (reply.type === 'confirmed') {
      return 'confirmed'
    } else if (reply.type === 'abort') {
      return 'dropped'
    } else if (reply.type === 'gap' && reply.have < offset) {
      offset = reply.have
      continue
    } else if (reply.type === 'busy') {
      waitMs = reply.retry_ms
    }
    retry += 1
    await pause(Math.max(waitMs, backoffMs(retry, timing.busRetry)), run.signal)
  }
  return 'stopped'
}

/** Not cut short when the run is stopped: an end that was committed all the same is to be known. */
async function ask(request: () => Promise<Uint8Array>): Promise<FinishReply | Error> {
  try {
    return decodeFinishReply(await request())
  } catch (error) {
    if (error instanceof BusError || error instanceof BusMessageError) return error
    throw error
  }
}
