/** Errors as vLLM words them; the tests compare them with recorded bytes. */

/** An answer other than 200. */
export class VllmError extends Error {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.name = 'VllmError';
    this.status = status;
    this.type = type;
    this.param = param;
  }

  /** The body of an HTTP answer: no white space. */
  body(): string {
    return JSON.stringify({ error: { message: this.message, type: this.type, param: this.param, code: this.status } });
  }

  /** The event in a stream: Python's `json.dumps` puts a space after each colon and comma. */
  event(): string {
    const [message, type, param] = [this.message, this.type, this.param].map((value) => JSON.stringify(value));
    return `data: {"error": {"message": ${message}, "type": ${type}, "param": ${param}, "code": ${this.status}}}\n\n`;
  }
}

function badRequest(message: string, param: string | null = null): VllmError {
  return new VllmError(400, 'BadRequestError', message, param);
}

/** vLLM's validation errors repeat the parameter and its value at the end. */
function badParameter(message: string, param: string, value: string): VllmError {
  return badRequest(`${message} (parameter=${param}, value=${value})`, param);
}

/** As Python writes a float. */
function pythonFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

export function unknownModel(asked: string, served: string): VllmError {
  return new VllmError(404, 'NotFoundError', `The model \`${asked}\` does not exist. Valid aliases: ${served}.`, 'model');
}

export function promptTooLong(limit: number, promptTokens: number, exact: boolean): VllmError {
  // Text is tokenized no further than one token over the limit.
  const counted = exact ? promptTokens : limit + 1;
  return badParameter(
    `This model's maximum context length is ${limit} tokens. However, your prompt contains ${exact ? '' : 'at least '}${counted} input tokens, `
      + 'which exceeds this limit even without any output tokens. Please reduce the length of the input prompt.',
    'input_tokens',
    String(counted),
  );
}

export function maxTokensOverLimit(maxTokens: number, limit: number): VllmError {
  return badParameter(
    `max_tokens=${maxTokens} cannot be greater than max_model_len=${limit}. Please request fewer output tokens.`,
    'max_tokens',
    String(maxTokens),
  );
}

export function maxTokensTooSmall(maxTokens: number): VllmError {
  return badParameter(`max_tokens must be at least 1, got ${maxTokens}.`, 'max_tokens', String(maxTokens));
}

export function negativeTemperature(temperature: number): VllmError {
  const value = pythonFloat(temperature);
  return badParameter(`temperature must be non-negative, got ${value}.`, 'temperature', value);
}

export function topPOutOfRange(topP: number): VllmError {
  const value = pythonFloat(topP);
  return badParameter(`top_p must be in (0, 1], got ${value}.`, 'top_p', value);
}

export function tokenOutOfVocabulary(id: number): VllmError {
  return badRequest(`Token id ${id} is out of vocabulary`);
}

export function emptyConversation(): VllmError {
  return badRequest('Cannot apply chat template to an empty conversation. Provide at least one message.');
}

export function emptyPrompt(): VllmError {
  return badRequest('Either prompt or prompt_embeds must be provided and non-empty.', 'prompt');
}

export function streamOptionsWithoutStream(): VllmError {
  return badRequest('Stream options can only be defined when `stream=True`. (parameter=stream_options)', 'stream_options');
}

export function continueAndGenerate(): VllmError {
  return badRequest(
    'continue_final_message and add_generation_prompt are not compatible. Use continue_final_message when you want the model to continue '
      + 'the final message, and add_generation_prompt when you want to add a header that will prompt it to start a new assistant message instead.',
  );
}

/** Not vLLM's: what the real engine does and the simulated one can't is refused, lest a test rely on it. */
export function notSimulated(what: string): VllmError {
  return badRequest(`The simulated engine does not support ${what}.`);
}

export interface FieldFault {
  readonly type: string;
  readonly loc: string;
  readonly msg: string;
  /** As Python's `repr` writes it. */
  readonly input: string;
}

/** What FastAPI's schema check refuses has another type and form than what vLLM itself refuses. */
export function invalidFields(faults: readonly FieldFault[]): VllmError {
  const lines = faults.map(({ type, loc, msg, input }) => `\n  {'type': '${type}', 'loc': '${loc}', 'msg': '${msg}', 'input': ${input}}`);
  const count = `${faults.length} validation error${faults.length === 1 ? '' : 's'}`;
  return new VllmError(400, 'Bad Request', `${count}:${lines.join('')}`, faults[0]?.loc ?? null);
}

export function queueFull(): VllmError {
  return new VllmError(
    503,
    'Service Unavailable',
    'The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.',
  );
}

/** What new requests get from an engine that is shutting down. */
export function shuttingDown(): VllmError {
  return new VllmError(500, 'InternalServerError', 'cannot schedule new futures after shutdown');
}

export function engineFailed(): VllmError {
  return new VllmError(500, 'InternalServerError', 'EngineCore encountered an issue. See stack trace (above) for the root cause.');
}
