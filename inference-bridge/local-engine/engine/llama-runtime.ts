/** The adapter to node-llama-cpp, which nothing else imports. */
import { getLlama, getModuleVersion, LlamaLogLevel, type LlamaContext, type LlamaContextSequence, type LlamaModel, type Token } from 'node-llama-cpp'
import { turnEnd, turnStart } from '../chat-template.ts'
import { EngineConfigError } from '../config-error.ts'
import type { ModelRuntime, Sampling, Sequence } from './model-runtime.ts'
import { TurnGate } from './turn-gate.ts'
import { Vocabulary } from './vocabulary.ts'

export interface LlamaOptions {
  readonly modelPath: string
  /** How many generations run at once. */
  readonly sequences: number
  /** Tokens of prompt and reply that each may have; no more than the model was trained for. */
  readonly contextSize: number
  /** Threads of computation. Leave a core to the rest of the machine: with none free, generation stalls for seconds. */
  readonly threads: number
  readonly log: (line: string) => void
}

/**
 * Tokens computed in one go. Larger batches read a prompt no faster on a CPU, hold up the other streams for longer, and
 * stop later when a client hangs up (64 tokens: 70 to 200 ms of one core).
 */
const batchSize = 64

/** Throws EngineConfigError if the file is no model that this engine can serve. */
export async function loadLlama(options: LlamaOptions): Promise<ModelRuntime> {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    maxThreads: options.threads,
    logLevel: LlamaLogLevel.warn,
    logger: (level, message) => options.log(`llama.cpp ${level}: ${message.trimEnd()}`),
  })
  let model: LlamaModel
  try {
    model = await llama.loadModel({ modelPath: options.modelPath })
  } catch (error) {
    throw new EngineConfigError('model_damaged', `The model file ${options.modelPath} cannot be loaded: it is damaged or no GGUF model.`, { cause: error })
  }
  const vocabulary = vocabularyOf(model, options.modelPath)
  const maxModelLen = Math.min(options.contextSize, model.trainContextSize)
  const context = await model.createContext({ sequences: options.sequences, contextSize: maxModelLen, batchSize, threads: options.threads, flashAttention: true })
  return new LlamaRuntime(model, context, vocabulary, maxModelLen)
}

/** For people and logs. */
export async function engineVersion(): Promise<string> {
  return `node-llama-cpp-${await getModuleVersion()}`
}

function vocabularyOf(model: LlamaModel, modelPath: string): Vocabulary {
  const { model: kind, tokens, token_type: kinds } = model.fileInfo.metadata.tokenizer?.ggml ?? {}
  const isChatMl = [turnStart, turnEnd].every((marker) => model.tokenize(marker, true).length === 1)
  if (kind !== 'gpt2' || tokens === undefined || kinds === undefined || model.tokens.eos === null || !isChatMl) {
    throw new EngineConfigError('model_unsupported', `The model file ${modelPath} has no byte-level BPE vocabulary with ChatML markers: the local engine serves SmolLM2-Instruct and models like it.`)
  }
  return new Vocabulary(tokens, kinds)
}

class LlamaRuntime implements ModelRuntime {
  readonly vocabulary: Vocabulary
  readonly maxModelLen: number
  readonly eosId: number
  readonly bosId: number | null
  readonly sequences: readonly Sequence[]
  readonly #model: LlamaModel

  constructor(model: LlamaModel, context: LlamaContext, vocabulary: Vocabulary, maxModelLen: number) {
    const gate = new TurnGate()
    this.#model = model
    this.vocabulary = vocabulary
    this.maxModelLen = maxModelLen
    this.eosId = model.tokens.eos ?? -1
    this.bosId = model.tokens.shouldPrependBosToken ? model.tokens.bos : null
    this.sequences = Array.from({ length: context.totalSequences }, () => new LlamaSequence(context.getSequence(), gate))
  }

  isEndOfGeneration(id: number): boolean {
    return this.#model.isEogToken(id as Token)
  }

  tokenize(text: string, markers: boolean): number[] {
    return this.#model.tokenize(text, markers)
  }

  async close(): Promise<void> {
    await this.#model.llama.dispose()
  }
}

class LlamaSequence implements Sequence {
  readonly #sequence: LlamaContextSequence
  readonly #gate: TurnGate

  constructor(sequence: LlamaContextSequence, gate: TurnGate) {
    this.#sequence = sequence
    this.#gate = gate
  }

  get cachedIds(): readonly number[] {
    return this.#sequence.contextTokens
  }

  async *generate(promptIds: readonly number[], sampling: Sampling, signal: AbortSignal): AsyncGenerator<number, void, undefined> {
    const prompt = promptIds as readonly Token[]
    try {
      // The last token is always computed anew, as the next is sampled from its result.
      await this.#gate.exclusively(() => this.#sequence.adaptStateToTokens(prompt.slice(0, -1), false))
      let read = this.#sequence.nextTokenIndex
      for (; read + batchSize < prompt.length; read += batchSize) {
        await this.#gate.open()
        if (signal.aborted) return
        await this.#sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(read, read + batchSize))
      }
      await this.#gate.open()
      if (signal.aborted) return
      for await (const id of this.#sequence.evaluate(prompt.slice(read), { ...sampling, minP: 0, yieldEogToken: true })) {
        yield id
        await this.#gate.open()
      }
    } catch (error) {
      // What the sequence holds after a failure is unknown.
      await this.#gate.exclusively(() => this.#sequence.clearHistory())
      throw error
    }
  }
}
