/**
 * Gets the reply of one run from the engines: puts the prompt together, streams, and when a stream breaks goes on from
 * exactly the tokens received, on another replica where there is one.
 */
import type { ContextReply } from '../../protocol/bus/begin.ts'
import { decodeContextReply, encodeBus } from '../../protocol/bus/codec.ts'
import type { Outcome } from '../../protocol/bus/finish.ts'
import { busVersion, contextSubject } from '../../protocol/bus/subjects.ts'
import type { Usage } from '../../protocol/websocket/fields.ts'
import { Chain, ChainError } from '../context/chain.ts'
import { assemblePrompt, rawPrompt } from '../context/context-window.ts'
import { RawPrompt, type Prompt } from '../context/prompt.ts'
import type { WholeTokens } from '../generation/whole-tokens.ts'
import type { ChosenReplica } from '../replicas/replica-set.ts'
import type { Replica } from '../replicas/replica.ts'
import { resultKey, type Result } from '../results/result-cache.ts'
import { assumedWindowTokens, maxReplyTokens } from '../settings.ts'
import type { Sampling, ServedModel } from '../vllm/client.ts'
import { EngineFailure } from '../vllm/failure.ts'
import type { EngineUsage, StreamChunk } from '../vllm/stream-chunk.ts'
import { backoffMs, pause } from './backoff.ts'
import type { Run } from './run.ts'
import type { RunDependencies } from './run-dependencies.ts'
import { TokenDoubts } from './token-doubts.ts'
import { failed, finished } from './turn-outcome.ts'

export type GenerationResult =
  | { readonly type: 'ended'; readonly outcome: Outcome }
  /** What was shown cannot be gone on from: only a new attempt can. */
  | { readonly type: 'lost' }
  /** The conversation could not be read: anyone may try again. */
  | { readonly type: 'no_context' }
  /** The run was stopped from outside. */
  | { readonly type: 'stopped' }

/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1

/** Thrown where the bus did not give a page of the conversation. */
class ContextUnavailable extends Error {}

export class ReplyGenerator {
  readonly #run: Run
  readonly #dependencies: RunDependencies
  readonly #whole: WholeTokens
  readonly #maxTokens: number
  #prompt: Prompt | null = null
  #promptIds: readonly number[] | null = null
  #engineUsage: EngineUsage | null = null
  /** Under which the whole reply may be kept; null where it may not, as it has not been written under one. */
  #resultKey: string | null = null
  #recalled: Result | null = null
  #failures = 0
  /** Ids, or text where there are none, at the last failure: more of it is progress. */
  #reached = 0

  constructor(run: Run, dependencies: RunDependencies, whole: WholeTokens) {
    this.#run = run
    this.#dependencies = dependencies
    this.#whole = whole
    this.#maxTokens = Math.min(run.grant.params.max_tokens ?? dependencies.defaults.maxTokens, maxReplyTokens)
  }

  /** Null where the engine gave neither ids nor counts. */
  get usage(): Usage | null {
    const { generation } = this.#run
    if (this.#recalled !== null) return this.#recalled.usage
    const prompt = this.#promptIds?.length ?? this.#engineUsage?.promptTokens
    const completion = generation.hasIds ? generation.ids.count : this.#engineUsage?.completionTokens
    return prompt === undefined || completion === undefined ? null : { prompt_tokens: prompt, completion_tokens: completion }
  }

  /** The reply was known, and nothing was generated. */
  get cached(): boolean {
    return this.#recalled !== null
  }

  /** For once the end is committed: keeps a complete reply for the next time that the same is asked. */
  keepResult(): void {
    const { text, end } = this.#run.generation
    if (this.#resultKey === null || this.#recalled !== null || end === null) return
    this.#dependencies.results?.keep(this.#resultKey, { text, reason: end, usage: this.usage })
  }

  async generate(): Promise<GenerationResult> {
    const { replicas, timing, clock, logger, metrics } = this.#dependencies
    const { generation, grant, signal } = this.#run
    let avoid: Replica | null = null
    let waits = 0
    for (;;) {
      if (this.#run.stopped !== null) return { type: 'stopped' }
      if (generation.end !== null) return { type: 'ended', outcome: finished(generation.end) }
      if (clock.now() >= grant.deadline_at) return { type: 'ended', outcome: failed('deadline_exceeded') }
      const chosen = replicas.choose(grant.model, avoid)
      if (chosen === null && !replicas.knows(grant.model)) return { type: 'ended', outcome: failed('model_not_found') }

      if (chosen === null) {
        // Nothing was tried, so nothing failed: the reply waits for an engine as long as its time allows.
        waits += 1
        if (waits === 1) logger.info({ turnId: this.#run.turnId, run: this.#run.number, ids: generation.ids.count }, 'waiting for an engine')
        await pause(Math.min(backoffMs(waits, timing.engineWait), Math.max(0, grant.deadline_at - clock.now())), signal)
        continue
      }
      waits = 0
      const failure = await this.#try(chosen)
      if (failure === null || generation.end !== null) continue
      if (!(failure instanceof EngineFailure)) return failure
      avoid = chosen.replica
      metrics.engineFailed(failure.kind)
      logger.warn({ turnId: this.#run.turnId, run: this.#run.number, replica: avoid.name, kind: failure.kind, reason: failure.message, ids: generation.ids.count }, 'engine failed')

      generation.rewind()
      if (failure.kind === 'too_long') {
        // What was gone on from and the prompt fill the window together.
        if (generation.ids.count > 0) generation.endByLength()
        else if (!this.#dropOldest()) return { type: 'ended', outcome: failed('context_too_long') }
        continue
      }
      if (!failure.retryable) return { type: 'ended', outcome: failed('engine_rejected') }
      if (generation.text !== '' && !generation.hasIds) {
        if (this.#run.sent.text > 0) return { type: 'lost' }
        generation.restart()
      }
      this.#countFailure()
      if (this.#failures > timing.engineRetry.count) return { type: 'ended', outcome: failed('engine_unavailable') }
      await pause(Math.min(backoffMs(this.#failures, timing.engineRetry), Math.max(0, grant.deadline_at - clock.now())), signal)
    }
  }

  /** The reason why to stop, a failure of the engine, or null where the state of run and generation says all. */
  async #try({ replica, served }: ChosenReplica): Promise<GenerationResult | EngineFailure | null> {
    const { generation } = this.#run
    const window = served.maxModelLength ?? assumedWindowTokens
    const release = replica.acquire()
    let outcome: EngineFailure | null | 'left' = 'left'
    // What an earlier stream left unfinished is generated again.
    generation.rewind()
    try {
      this.#prompt ??= await this.#assemble(replica, window)
      if (this.#prompt === null) return { type: 'ended', outcome: failed('context_too_long') }
      if (await this.#recall(this.#prompt, served)) return null
      if (generation.ids.count > 0 && this.#promptIds === null) {
        this.#promptIds = await this.#tokenize(this.#prompt, replica)
        if (this.#promptIds === null) return { type: 'lost' }
        // The engine refused such a prompt when the reply was begun, and got a shorter one: it is to get that again.
        if (this.#promptIds.length >= window) return this.#dropOldest() ? null : { type: 'ended', outcome: failed('context_too_long') }
      }
      const room = this.#promptIds === null ? this.#prompt.maxTokens : Math.min(this.#maxTokens, window - this.#promptIds.length)
      if (generation.ids.count >= room && generation.ids.count > 0) {
        generation.endByLength()
        return null
      }
      if (this.#run.stopped !== null) return null
      const end = await this.#stream(replica, this.#prompt, room - generation.ids.count)
      if (end === 'deadline') return { type: 'ended', outcome: failed('deadline_exceeded') }
      if (end !== 'stopped') outcome = end
      return outcome === 'left' ? null : outcome
    } catch (error) {
      if (this.#run.stopped !== null) return null
      if (error instanceof EngineFailure) return (outcome = error)
      if (error instanceof ContextUnavailable) return { type: 'no_context' }
      if (error instanceof ChainError) {
        this.#dependencies.logger.error({ turnId: this.#run.turnId, reason: error.message }, 'granted a turn that cannot be answered')
        return { type: 'ended', outcome: failed('internal') }
      }
      throw error
    } finally {
      release(outcome)
    }
  }

  /** Null for a reply that is complete; `deadline` and `stopped` where this side broke off. */
  async #stream(replica: Replica, prompt: Prompt, maxTokens: number): Promise<EngineFailure | null | 'deadline' | 'stopped'> {
    const { publisher, clock, metrics, tracer } = this.#dependencies
    const { generation, grant } = this.#run
    const { model } = grant
    const sampling = this.#sampling(maxTokens)
    const resumes = generation.ids.count > 0
    const ended = new AbortController()
    const doubts = new TokenDoubts(generation, this.#whole, replica.client, model, ended.signal, () => publisher.mark(this.#run))
    let refused: EngineFailure | null = null
    const beganAt = clock.monotonic()
    let first = true
    const span = tracer.span('engine request', this.#run.span.traceparent, 'client', { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': model, 'server.address': replica.name })

    const onChunk = (chunk: StreamChunk): void => {
      if (!resumes) this.#promptIds ??= chunk.promptIds
      if (chunk.usage !== null && !resumes) this.#engineUsage = chunk.usage
      if (generation.end !== null) return
      if (!generation.push(chunk)) {
        refused = new EngineFailure('malformed', 'text without token ids, where there were some before')
        stream.abort()
        return
      }
      if (chunk.text !== '') {
        if (first) {
          metrics.firstToken((clock.monotonic() - beganAt) / 1000)
          span.event('first token')
        }
        first = false
      }
      publisher.mark(this.#run)
      doubts.look()
      // A stop string, or the greatest size of a reply: the engine knows of neither.
      if (generation.end !== null && chunk.finishReason === null) stream.abort()
    }
    const stream = resumes
      ? replica.client.streamContinuation(model, [...(this.#promptIds ?? []), ...generation.ids.list(0, generation.ids.count)], sampling, onChunk, span.traceparent)
      : prompt instanceof RawPrompt
        ? replica.client.streamContinuation(model, prompt.ids ?? prompt.text, sampling, onChunk, span.traceparent)
        : replica.client.streamChat(model, prompt.messages, sampling, onChunk, span.traceparent)
    this.#run.generatesWith(stream)
    let late = false
    let fault: string | undefined
    const onDeadline = (): void => {
      late = true
      stream.abort()
    }
    const deadline = setTimeout(onDeadline, Math.min(longestTimerMs, Math.max(0, grant.deadline_at - clock.now())))
    try {
      const end = await stream.done
      fault = end.type === 'failed' ? end.failure.kind : undefined
      if (end.type === 'failed') return end.failure
      if (refused !== null) return refused
      if (end.type === 'finished' || generation.end !== null) return null
      return late ? 'deadline' : 'stopped'
    } finally {
      clearTimeout(deadline)
      span.end({ 'gen_ai.usage.output_tokens': generation.ids.count }, fault)
      // A reason of its own: the default one is an exception, made once a turn for nobody.
      ended.abort('the stream has ended')
      this.#run.generatesWith(null)
    }
  }

  #sampling(maxTokens: number): Sampling {
    const { params } = this.#run.grant
    const { defaults } = this.#dependencies
    return {
      maxTokens,
      temperature: params.temperature ?? defaults.temperature,
      topP: params.top_p ?? defaults.topP,
      seed: params.seed ?? null,
      presencePenalty: params.presence_penalty ?? 0,
      frequencyPenalty: params.frequency_penalty ?? 0,
    }
  }

  /** Whether the whole reply was known. Only a reply of which nothing was written yet is asked for. */
  async #recall(prompt: Prompt, { revision }: ServedModel): Promise<boolean> {
    const { results } = this.#dependencies
    const { generation, grant, sent } = this.#run
    if (results === null) return false
    const key = resultKey({ userId: grant.user_id, model: grant.model, revision, asked: prompt instanceof RawPrompt ? prompt.text : prompt.messages, sampling: this.#sampling(prompt.maxTokens), stop: grant.params.stop ?? [] })
    if (key === this.#resultKey) return false
    const untouched = generation.ids.count === 0 && generation.text === '' && sent.text === 0
    // What another question began is no answer to this one.
    this.#resultKey = untouched ? key : null
    const found = untouched && key !== null ? await results.find(key) : null
    if (found === null || this.#run.stopped !== null) return false
    this.#recalled = found
    generation.endKnown(found.text, found.reason)
    return true
  }

  async #assemble(replica: Replica, window: number): Promise<Prompt | null> {
    const { grant, signal } = this.#run
    const { counts, defaults } = this.#dependencies
    const chain = new Chain(grant, (leaf) => this.#fetchPage(leaf))
    const request = { chain, model: grant.model, window, maxTokens: this.#maxTokens }
    if (grant.params.raw === true) return rawPrompt(request, replica.client, signal)
    return assemblePrompt({ ...request, system: grant.system ?? defaults.systemPrompt ?? null }, counts, replica.client, signal)
  }

  /** Null where the engine cannot tell. */
  async #tokenize(prompt: Prompt, { client }: Replica): Promise<readonly number[] | null> {
    return prompt instanceof RawPrompt ? prompt.ids : client.tokenizeChat(this.#run.grant.model, prompt.messages, this.#run.signal)
  }

  /** Drops the oldest exchange of a prompt that was too long after all. False where there is none. */
  #dropOldest(): boolean {
    const shorter = this.#prompt?.withoutOldest() ?? null
    this.#prompt = shorter
    this.#promptIds = null
    return shorter !== null
  }

  #countFailure(): void {
    const { generation } = this.#run
    const reached = generation.hasIds ? generation.ids.count : generation.text.length
    if (reached > this.#reached) this.#failures = 0
    this.#reached = reached
    this.#failures += 1
  }

  async #fetchPage(leaf: number): Promise<Pick<ContextReply, 'messages' | 'more'>> {
    const { channel, timing } = this.#dependencies
    const { signal, conversationId } = this.#run
    for (let retry = 1; ; retry++) {
      try {
        const reply = await channel.request(contextSubject, encodeBus({ v: busVersion, conversation_id: conversationId, leaf }), { timeoutMs: timing.busRequestMs, signal })
        return decodeContextReply(reply)
      } catch (cause) {
        if (signal.aborted || retry > timing.busRetry.count) throw new ContextUnavailable('no page of the conversation', { cause })
        await pause(backoffMs(retry, timing.busRetry), signal)
      }
    }
  }
}
