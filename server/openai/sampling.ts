/** From OpenAI's parameters to a turn's. */
import type { SamplingParameters } from '../../protocol/openai/parameters.ts'
import { RequestFault } from '../../protocol/rest/decode.ts'
import type { Params } from '../../protocol/websocket/fields.ts'
import { limits } from '../../protocol/websocket/limits.ts'

/** `extraStops` end the reply too. Throws RequestFault where all are too many. */
export function paramsOf(given: SamplingParameters, extraStops: readonly string[] = []): Params {
  const { temperature, top_p, presence_penalty, frequency_penalty, max_tokens, seed } = given
  const stop = [...stopsOf(given.stop), ...extraStops]
  if (stop.length > limits.stopStrings) {
    const message = `There are at most ${limits.stopStrings} stop strings; parallel_tool_calls: false takes one.`
    throw new RequestFault('invalid_field', message, { in: 'body', pointer: '/stop', detail: message })
  }
  return {
    ...(isGiven(temperature) ? { temperature } : {}),
    ...(isGiven(top_p) ? { top_p } : {}),
    ...(isGiven(presence_penalty) ? { presence_penalty } : {}),
    ...(isGiven(frequency_penalty) ? { frequency_penalty } : {}),
    ...(isGiven(max_tokens) ? { max_tokens } : {}),
    ...(isGiven(seed) ? { seed: Math.abs(seed) % 2 ** 31 } : {}),
    ...(stop.length > 0 ? { stop } : {}),
  }
}

function stopsOf(stop: SamplingParameters['stop']): readonly string[] {
  return stop === undefined || stop === null ? [] : typeof stop === 'string' ? [stop] : stop
}

function isGiven(value: number | null | undefined): value is number {
  return value !== undefined && value !== null
}
