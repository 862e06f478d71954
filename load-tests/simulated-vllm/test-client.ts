/** Talks to the simulator in its tests. */
import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The connection closed before the answer was complete. */
  readonly broken: boolean;
}

export async function send(url: string, path: string, body?: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Answer> {
  const response = await fetch(url + path, {
    ...(body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers,
    ...(signal === undefined ? {} : { signal }),
  });
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const bytes of response.body ?? []) text += decoder.decode(bytes, { stream: true });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return { status: response.status, headers: response.headers, text, broken: true };
  }
  return { status: response.status, headers: response.headers, text, broken: false };
}

interface Event {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string };
    readonly text?: string;
    readonly finish_reason?: string | null;
    readonly stop_reason?: string | number | null;
    readonly token_ids?: readonly number[] | null;
    readonly prompt_token_ids?: readonly number[] | null;
  }[];
  readonly prompt_token_ids?: readonly number[] | null;
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
  readonly error?: { readonly code: number };
}

export interface Transcript {
  text: string;
  ids: number[];
  /** Text and number of ids after each chunk with tokens. */
  chunks: { text: string; ids: number }[];
  promptIds: number[];
  finishReason: string | null;
  stopReason: string | number | null;
  completionTokens: number | undefined;
  errorCode: number | undefined;
  done: boolean;
  keepAlives: number;
}

export function readTranscript(sse: string): Transcript {
  const transcript: Transcript = {
    text: '', ids: [], chunks: [], promptIds: [], finishReason: null, stopReason: null, completionTokens: undefined, errorCode: undefined, done: false,
    keepAlives: 0,
  };
  // What follows the last blank line is not a complete event.
  for (const frame of sse.split('\n\n').slice(0, -1)) {
    if (frame === ': keep-alive') transcript.keepAlives += 1;
    else if (frame === 'data: [DONE]') transcript.done = true;
    else if (frame.startsWith('data: ')) addEvent(transcript, JSON.parse(frame.slice(6)) as Event);
    else throw new Error(`not an event: ${frame}`);
  }
  return transcript;
}

function addEvent(transcript: Transcript, event: Event): void {
  transcript.promptIds.push(...(event.prompt_token_ids ?? []));
  transcript.completionTokens = event.usage?.completion_tokens ?? transcript.completionTokens;
  transcript.errorCode = event.error?.code;
  for (const choice of event.choices ?? []) {
    transcript.text += choice.delta?.content ?? choice.text ?? '';
    transcript.ids.push(...(choice.token_ids ?? []));
    transcript.promptIds.push(...(choice.prompt_token_ids ?? []));
    if (choice.token_ids !== undefined) transcript.chunks.push({ text: transcript.text, ids: transcript.ids.length });
    transcript.finishReason = choice.finish_reason ?? transcript.finishReason;
    transcript.stopReason = choice.stop_reason ?? transcript.stopReason;
  }
}

export function userMessage(content: string): { role: string; content: string }[] {
  return [{ role: 'user', content }];
}

/** A streamed chat with token ids and usage. */
export async function chat(url: string, content: string, extra: Record<string, unknown> = {}): Promise<Transcript & { answer: Answer }> {
  const body = { messages: userMessage(content), stream: true, return_token_ids: true, stream_options: { include_usage: true }, ...extra };
  const answer = await send(url, '/v1/chat/completions', body);
  return { ...readTranscript(answer.text), answer };
}

/** The code of the error with which a connection fails, or `connected`. */
export function tryToConnect(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
}
