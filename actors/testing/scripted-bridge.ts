/** A bridge that does what a test tells it, over a real bus: so that a test can lose, double and delay what it sends. */
import type { BeginReply } from '../../protocol/bus/begin.ts'
import { decodeBeginReply, decodeControlRequest, decodeFinishReply, encodeBus } from '../../protocol/bus/codec.ts'
import type { ControlRequest } from '../../protocol/bus/control.ts'
import type { FinishReply, Outcome } from '../../protocol/bus/finish.ts'
import { beginSubject, busVersion, controlSubject, deltasSubject, finishSubject } from '../../protocol/bus/subjects.ts'
import type { Channel, Subscription } from '../../platform/bus/channel.ts'
import type { Job, JobQueue, Lane } from '../../platform/bus/job-queue.ts'

export type Granted = Extract<BeginReply, { type: 'granted' }>

/** One run: its text, an id for each code unit. */
export class ScriptedRun {
  readonly #bridge: ScriptedBridge
  readonly job: Job
  readonly granted: Granted
  /** Where its deltas go. */
  edge: string
  text: string
  sent: number

  constructor(bridge: ScriptedBridge, job: Job, granted: Granted) {
    this.#bridge = bridge
    this.job = job
    this.granted = granted
    this.edge = granted.edge
    this.text = granted.resume?.text ?? ''
    this.sent = this.text.length
  }

  /** Generates and sends; `lost` sends nothing, so that the next one leaves a gap. */
  say(text: string, lost = false): void {
    const from = this.sent
    this.text += text
    this.sent = this.text.length
    if (!lost) this.#bridge.delta(this.edge, this.job.turnId, this.granted.run, from, text)
  }

  beat(): void {
    this.#bridge.delta(this.edge, this.job.turnId, this.granted.run, this.sent, '')
  }

  /** Says the end until it is confirmed or aborted, and acks as a bridge does. */
  async finish(outcome: Outcome = { type: 'finished', reason: 'stop' }): Promise<FinishReply['type']> {
    for (let offset = this.sent; ; ) {
      const reply = await this.#bridge.finish(this, offset, outcome)
      if (reply.type === 'gap') {
        offset = reply.have
        continue
      }
      if (reply.type === 'confirmed') this.job.ack()
      return reply.type
    }
  }
}

export function idsFor(from: number, to: number): Uint8Array {
  return new Uint8Array(new Uint32Array(Array.from({ length: to - from }, (_, n) => from + n)).buffer)
}

export class ScriptedBridge {
  readonly name: string
  readonly aborted: string[] = []
  /** Does not answer its owners. */
  deaf = false
  readonly #channel: Channel
  readonly #queue: JobQueue
  readonly #runs = new Map<string, ScriptedRun>()
  readonly #control: Subscription

  constructor(name: string, channel: Channel, queue: JobQueue) {
    this.name = name
    this.#channel = channel
    this.#queue = queue
    this.#control = channel.subscribe(controlSubject(name), (message) => {
      if (this.deaf) return
      message.respond(encodeBus(this.#answer(decodeControlRequest(message.payload))))
    })
  }

  /** Dies: answers nothing any more. */
  die(): void {
    this.#control.unsubscribe()
    this.#runs.clear()
  }

  async take(lane: Lane = 'standard'): Promise<Job> {
    for (;;) {
      const [job] = await this.#queue.fetch(lane, 1, { waitMs: 10_000 })
      if (job !== undefined) return job
    }
  }

  async ask(job: Job, fresh = false): Promise<BeginReply> {
    const request = encodeBus({ v: busVersion, turn_id: job.turnId, conversation_id: job.conversationId, bridge: this.name, default_model: 'test-model', ...(fresh ? { fresh } : {}) })
    return decodeBeginReply(await this.#channel.request(beginSubject, request, { timeoutMs: 10_000 }))
  }

  /** The next job that is granted; those that are gone are acked, and those that are busy asked for again. */
  async run(lane: Lane = 'standard'): Promise<ScriptedRun> {
    for (;;) {
      const job = await this.take(lane)
      const reply = await this.ask(job)
      if (reply.type === 'gone') job.ack()
      else if (reply.type === 'busy') job.nak(reply.retry_ms)
      else return this.hold(job, reply)
    }
  }

  hold(job: Job, granted: Granted): ScriptedRun {
    const run = new ScriptedRun(this, job, granted)
    this.#runs.set(job.turnId, run)
    return run
  }

  delta(edge: string, turnId: string, run: number, offset: number, text: string): void {
    this.#channel.publish(deltasSubject(edge), encodeBus({ v: busVersion, bridge: this.name, items: [[turnId, run, offset, text, offset, idsFor(offset, offset + text.length)]] }))
  }

  async finish(run: ScriptedRun, offset: number, outcome: Outcome): Promise<FinishReply> {
    const request = encodeBus({
      v: busVersion,
      turn_id: run.job.turnId,
      conversation_id: run.job.conversationId,
      bridge: this.name,
      run: run.granted.run,
      offset,
      text: run.text.slice(offset),
      outcome,
      usage: { prompt_tokens: 7, completion_tokens: run.text.length },
      model: run.granted.model,
      cached: false,
      cost_usd: null,
    })
    return decodeFinishReply(await this.#channel.request(finishSubject, request, { timeoutMs: 30_000 }))
  }

  #answer(request: ControlRequest): Parameters<typeof encodeBus>[0] {
    const run = this.#runs.get(request.turn_id)
    if (run === undefined || run.granted.run !== request.run) return { v: busVersion, type: 'unknown' }
    if (request.type === 'abort') {
      this.aborted.push(request.turn_id)
      this.#runs.delete(request.turn_id)
      return { v: busVersion, type: 'aborted', text: run.text }
    }
    run.edge = request.edge
    run.sent = run.text.length
    return { v: busVersion, type: 'attached', text: run.text.slice(request.offset), token_ids: idsFor(request.id_offset, run.text.length) }
  }
}
