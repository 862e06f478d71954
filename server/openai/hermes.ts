/**
 * Tools as text, in the form that Hermes, Qwen and many after them are trained on: byte for byte what Qwen2.5's chat
 * template makes of the same messages. So a conversation with tools is text like any other, which every engine takes, and
 * which is gone on from by token ids.
 */
import type { Tool, ToolCall } from '../../protocol/openai/chat-completion-request.ts'
import { parseJson } from '../../protocol/validation/json.ts'

export const callStart = '<tool_call>'
export const callEnd = '</tool_call>'

/** What follows the system message. */
export function toolsText(tools: readonly Tool[]): string {
  const signatures = tools.map(({ type, function: { name, description, parameters } }) =>
    pythonJson({ type, function: { name, ...(description === undefined || description === null ? {} : { description }), parameters: parameters ?? { type: 'object', properties: {} } } }),
  )
  return [
    '# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>',
    ...signatures,
    `</tools>\n\nFor each function call, return a json object with function name and arguments within ${callStart}${callEnd} XML tags:\n${callStart}\n{"name": <function-name>, "arguments": <args-json-object>}\n${callEnd}`,
  ].join('\n')
}

/** Null where the arguments are no JSON object. */
export function callText({ function: { name, arguments: json } }: ToolCall): string | null {
  const given = parsedObject(json === '' ? '{}' : json)
  return given === null ? null : `${callStart}\n{"name": ${JSON.stringify(name)}, "arguments": ${pythonJson(given)}}\n${callEnd}`
}

export function resultText(content: string): string {
  return `<tool_response>\n${content}\n</tool_response>`
}

export interface CalledFunction {
  readonly name: string
  /** JSON of an object. */
  readonly arguments: string
}

/** What stands between the marks of a call; null where it is none. */
export function readCall(text: string): CalledFunction | null {
  const json = text.trim()
  const call = parsedObject(json)
  if (call === null || typeof call['name'] !== 'string' || call['name'] === '') return null
  // Llama's name for them is `parameters`, and some models write the object as a string.
  const given = call['arguments'] ?? call['parameters'] ?? {}
  if (typeof given === 'string') return parsedObject(given) === null ? null : { name: call['name'], arguments: given }
  return isObject(given) ? { name: call['name'], arguments: asWritten(json, JSON.stringify(given)) } : null
}

const argumentsKey = /"(?:arguments|parameters)"\s*:\s*(?=\{)/

/** The arguments as the model wrote them, so that no digit of a number is lost, where they come last; else in our own writing. */
function asWritten(call: string, given: string): string {
  const key = argumentsKey.exec(call)
  if (key === null) return given
  const written = call.slice(key.index + key[0].length, -1).trimEnd()
  const value = parsedObject(written)
  return value !== null && JSON.stringify(value) === given ? written : given
}

/** Deeper is no signature and no call, and those who read it recurse. */
const maxDepth = 64

function parsedObject(json: string): Readonly<Record<string, unknown>> | null {
  try {
    const value = parseJson(Buffer.from(json), maxDepth)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As Python's json.dumps writes it, with which templates are rendered: a space after each comma and colon. */
function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (!isObject(value)) return JSON.stringify(value)
  return `{${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${pythonJson(each)}`).join(', ')}}`
}
