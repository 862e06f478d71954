import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'

/** What the process writes to stdout, a line of JSON each: progress while it looks for the model, then `ready`, once. */
const EngineProcessMessage = Type.Union([
  Type.Object({ ready: Type.Literal(true), port: Type.Integer(), model: Type.String(), max_model_len: Type.Integer() }),
  /** `code`: of EngineConfigError, or `internal`. The process exits after it. */
  Type.Object({ ready: Type.Literal(false), code: Type.String(), message: Type.String() }),
  Type.Object({
    progress: Type.Union([
      Type.Object({ step: Type.Literal('cache_damaged'), path: Type.String(), fault: Type.String() }),
      Type.Object({ step: Type.Literal('downloading'), source: Type.String(), received: Type.Union([Type.Number(), Type.Null()]), total: Type.Number() }),
      Type.Object({ step: Type.Literal('source_failed'), source: Type.String(), fault: Type.String() }),
      Type.Object({ step: Type.Literal('downloaded'), source: Type.String(), path: Type.String() }),
    ]),
  }),
])

export type EngineProcessMessage = Static<typeof EngineProcessMessage>

const validator = Compile(EngineProcessMessage)

/** Null for a line that is no message. */
export function parseProcessMessage(line: string): EngineProcessMessage | null {
  try {
    const message: unknown = JSON.parse(line)
    return validator.Check(message) ? message : null
  } catch {
    return null
  }
}
