import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { firstFault } from '../../protocol/validation/validation-fault.ts'
import { EngineConfigError } from './config-error.ts'

/** What can be set. The process takes it as JSON, its first argument. */
const LocalEngineSettings = Type.Object(
  {
    /** On 127.0.0.1. 0: any that is free. */
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
    /** The name that requests give. */
    modelName: Type.Optional(Type.String({ minLength: 1 })),
    /** A GGUF file; without it the model is looked for, see findModel. */
    modelPath: Type.Optional(Type.String({ minLength: 1 })),
    cacheFolder: Type.Optional(Type.String({ minLength: 1 })),
    hubUrl: Type.Optional(Type.String({ minLength: 1 })),
    python: Type.Optional(Type.String({ minLength: 1 })),
    /** Replies generated at once. */
    sequences: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
    /** Tokens of prompt and reply together: 23 KB of memory each, times `sequences`. */
    contextSize: Type.Optional(Type.Integer({ minimum: 256 })),
    threads: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Requests that may wait; above it the answer is 503. */
    maxWaiting: Type.Optional(Type.Integer({ minimum: 0 })),
    keepAliveMs: Type.Optional(Type.Integer({ minimum: 1 })),
    /** How long running replies may go on after SIGTERM. */
    drainMs: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Exit at once when stdin ends: for a child whose parent holds the other end, so that it never outlives the parent. */
    exitWithStdin: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)

export type LocalEngineSettings = Static<typeof LocalEngineSettings>
/** Everything but `modelPath` has a value. */
export type LocalEngineOptions = Required<Omit<LocalEngineSettings, 'modelPath'>> & Pick<LocalEngineSettings, 'modelPath'>

/** The settings that do not depend on the machine. 4 x 2,048 tokens take 190 MB; a prompt of 2,000 is read in 5 s by one core. */
export const defaultSettings = {
  port: 0,
  modelName: 'smollm2-135m',
  sequences: 4,
  contextSize: 2048,
  maxWaiting: 64,
  keepAliveMs: 5_000,
  drainMs: 20_000,
  exitWithStdin: false,
}

/** A core stays free for everything else; above four, so small a model gains nothing. */
export function defaultThreads(cores: number): number {
  return Math.min(4, Math.max(1, cores - 1))
}

const validator = Compile(LocalEngineSettings)

/** Throws EngineConfigError. */
export function parseSettings(json: string): LocalEngineSettings {
  let settings: unknown
  try {
    settings = JSON.parse(json)
  } catch (error) {
    throw new EngineConfigError('options_invalid', 'The settings are no JSON.', { cause: error })
  }
  if (!validator.Check(settings)) throw new EngineConfigError('options_invalid', `The setting ${firstFault(validator.Errors(settings)) || '/'} is unknown, of the wrong type or out of range.`)
  return settings
}
