import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import { repositoryPath } from '../../protocol/docs/repository.ts';
import { expectedText } from './reply.ts';
import { startSimulatedVllm, type SimulatedVllm } from './server.ts';
import { readTranscript, send, userMessage } from './test-client.ts';

interface Recorded {
  readonly path: string;
  readonly request: Record<string, unknown> | null;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

const FIXTURES = repositoryPath('load-tests/simulated-vllm/fixtures');
const MODEL = 'smollm2-135m';
const QUESTION = 'What is the capital of France?';

function bytes(name: string): string {
  return readFileSync(join(FIXTURES, name), 'utf8');
}

function meta(name: string): Recorded {
  return JSON.parse(bytes(`${name}.meta.json`)) as Recorded;
}

/** Replaces what may differ, ids, times, texts, tokens and their counts, and leaves every other byte. */
function skeleton(text: string): string {
  return text
    .replaceAll(/"id":"(chatcmpl|cmpl|modelperm)-[^"]*"/g, '"id":"$1-…"')
    .replaceAll(/"created":\d+/g, '"created":0')
    .replaceAll(/"(content|text|root|stop_reason|prompt)":"(?:[^"\\]|\\.)+"/g, '"$1":"…"')
    .replaceAll(/"(token_ids|prompt_token_ids|tokens|token_strs)":\[[^\]]+\]/g, '"$1":[…]')
    .replaceAll(/"(count|prompt_tokens|total_tokens|completion_tokens)":\d+/g, '"$1":0')
    .replaceAll(/"finish_reason":"(stop|length)"/g, '"finish_reason":"…"')
    .replaceAll(/vllm-0\.32\.0-[0-9a-f]{8}/g, 'vllm-0.32.0-…');
}

/** The events of a stream as skeletons, equal neighbours as one. */
function eventSkeletons(sse: string): string[] {
  return sse.split('\n\n').map(skeleton).filter((event, index, all) => event !== all[index - 1]);
}

async function start(t: Test, options: Parameters<typeof startSimulatedVllm>[0] = {}): Promise<SimulatedVllm> {
  const simulator = await startSimulatedVllm({ model: MODEL, maxModelLen: 2048, replyTokens: 7, ...options });
  t.teardown(() => simulator.close());
  return simulator;
}

function headersOf(t: Test, headers: Headers, recorded: Recorded['headers']): void {
  // uWebSockets.js adds its own name.
  const names = [...headers.keys()].filter((name) => name !== 'uwebsockets').sort();
  t.same(names, Object.keys(recorded).sort(), 'the same headers');
  for (const name of ['server', 'content-type', 'vary']) t.equal(headers.get(name), recorded[name], name);
}

t.test('answers in one piece have the recorded structure, status and headers', async (t) => {
  const { url } = await start(t);
  const names = readdirSync(FIXTURES).filter((name) => name.endsWith('.json') && !name.endsWith('.meta.json')).map((name) => name.slice(0, -5));
  for (const name of names.filter((name) => existsSync(join(FIXTURES, `${name}.meta.json`)))) {
    await t.test(name, async (t) => {
      const recorded = meta(name);
      // Ids mean other texts in another vocabulary.
      const request = name === 'detokenize' ? { model: MODEL, tokens: [300, 400] } : (recorded.request ?? undefined);
      const answer = await send(url, recorded.path, request);
      t.equal(answer.status, recorded.status);
      headersOf(t, answer.headers, recorded.headers);
      if (recorded.status === 200) t.equal(skeleton(answer.text), skeleton(bytes(`${name}.json`)));
      else t.equal(answer.text, bytes(`${name}.json`), 'byte for byte');
    });
  }
});

t.test('streams have the recorded events, in the recorded order', async (t) => {
  const { url } = await start(t);
  for (const name of ['chat_stream_usage_ids', 'chat_stream_length', 'chat_stream_plain', 'chat_stream_continuous_usage']) {
    await t.test(name, async (t) => {
      const recorded = meta(name);
      const answer = await send(url, recorded.path, recorded.request);
      t.equal(answer.status, 200);
      headersOf(t, answer.headers, recorded.headers);
      t.same(eventSkeletons(answer.text), eventSkeletons(bytes(`${name}.sse`)));
      t.equal(readTranscript(answer.text).finishReason, readTranscript(bytes(`${name}.sse`)).finishReason);
    });
  }
});

t.test('a resumption on /v1/completions has the recorded events', async (t) => {
  const { url } = await start(t, { replyTokens: 200 });
  const recorded = meta('resume_completions_cut50');
  const { tokens } = JSON.parse((await send(url, '/tokenize', { messages: userMessage(QUESTION) })).text) as { tokens: number[] };
  const answer = await send(url, recorded.path, { ...recorded.request, prompt: tokens });
  t.same(eventSkeletons(answer.text), eventSkeletons(bytes('resume_completions_cut50.sse')));
  const { promptIds, ids, finishReason } = readTranscript(answer.text);
  t.same([promptIds, ids.length, finishReason], [tokens, 110, 'length']);
});

t.test('text is held back as long as a stop string may begin in it, and cut before the stop string', async (t) => {
  const { url } = await start(t, { replyTokens: 50 });
  const recorded = meta('chat_stream_stopstring');
  // Begins and ends inside a token; longer than the first token, so that nothing of that may be sent.
  const whole = expectedText(QUESTION, 50);
  const stop = whole.slice(19, 25);
  const answer = await send(url, recorded.path, { ...recorded.request, stop: [stop] });
  t.same(new Set(eventSkeletons(answer.text)), new Set(eventSkeletons(bytes('chat_stream_stopstring.sse'))));
  const transcript = readTranscript(answer.text);
  t.match(transcript, { text: whole.slice(0, 19), finishReason: 'stop', stopReason: stop, done: true });
  for (const { text, ids } of transcript.chunks.slice(0, -1)) {
    t.equal(text, whole.slice(0, Math.max(0, expectedText(QUESTION, ids).length - 5)), `${ids} tokens without the last five characters`);
  }
});

t.test('a character of several tokens comes with the last of them, and one that is cut off not at all', async (t) => {
  const { url } = await start(t, { replyTokens: 100, multibyte: true });
  const recorded = meta('chat_stream_unicode');
  // 43 tokens end inside a character, as the recording does.
  const answer = await send(url, recorded.path, { ...recorded.request, max_tokens: 43 });
  t.same(new Set(eventSkeletons(answer.text)), new Set(eventSkeletons(bytes('chat_stream_unicode.sse'))));
  const { text, chunks } = readTranscript(answer.text);
  t.match(text, /\p{Emoji_Presentation}/u);
  t.ok(chunks.some((chunk, index) => chunk.text === chunks[index - 1]?.text), 'ids without text');
  t.equal(chunks.at(-1)?.text, chunks.at(-2)?.text, 'ends inside a character');
});

t.test('a prompt that leaves no room is refused in the recorded words', async (t) => {
  const { url } = await start(t);
  const long = { model: MODEL, messages: userMessage('word '.repeat(3000)) };
  const prompt = (length: number): unknown => ({ model: MODEL, prompt: Array.from({ length }, () => 300), max_tokens: 5 });
  const cases = [
    ['overflow_chat', '/v1/chat/completions', long],
    ['overflow_chat', '/v1/chat/completions', { ...long, stream: true }],
    ['overflow_completions', '/v1/completions', prompt(3000)],
    ['overflow_prompt_eq_max', '/v1/completions', prompt(2048)],
  ] as const;
  for (const [name, path, body] of cases) {
    const answer = await send(url, path, body);
    t.same([answer.status, answer.text], [400, bytes(`${name}.json`)], name);
  }
});

t.test('a prompt and max_tokens that exceed the context together are cut to it', async (t) => {
  const { url } = await start(t);
  const prompt = Array.from({ length: 2040 }, () => 300);
  const answer = await send(url, '/v1/completions', { model: MODEL, prompt, max_tokens: 100, ignore_eos: true, stream: true, return_token_ids: true });
  t.match(readTranscript(answer.text), { ids: { length: 8 }, finishReason: 'length' });
});

t.test('a full queue is refused in the recorded words', async (t) => {
  const simulator = await start(t, { maxNumQueuedReqs: 1, firstTokenMs: 60_000 });
  const holder = new AbortController();
  const body = { model: MODEL, messages: userMessage(QUESTION), stream: true };
  const held = send(simulator.url, '/v1/chat/completions', body, {}, holder.signal).catch(() => 'aborted');
  await simulator.until(() => simulator.metrics.running === 1);
  const streamed = await send(simulator.url, '/v1/chat/completions', body);
  t.same([streamed.status, streamed.text], [503, bytes('err_queue_full_stream.sse')]);
  t.equal(streamed.headers.get('content-type'), 'application/json');
  const whole = await send(simulator.url, '/v1/completions', { model: MODEL, prompt: 'x' });
  t.same([whole.status, whole.text], [503, bytes('err_queue_full_nonstream.json')]);
  t.same(simulator.requests.map(({ state }) => state), ['running', 'rejected', 'rejected']);
  holder.abort();
  t.equal(await held, 'aborted');
});

t.test('errors inside a stream are the recorded bytes', async (t) => {
  const { url, faults } = await start(t);
  const body = { model: MODEL, messages: userMessage(QUESTION), stream: true };
  faults.set([{ kind: 'queue_full_in_stream' }]);
  const full = await send(url, '/v1/chat/completions', body);
  t.same([full.status, full.text], [200, bytes('err_queue_full_race_http200.sse')]);
  faults.set([{ kind: 'error_event', afterTokens: 3 }]);
  const failed = await send(url, '/v1/chat/completions', body);
  t.equal(failed.text.slice(failed.text.indexOf('data: {"error')), bytes('sigterm_stream_timeout0.sse').slice(bytes('sigterm_stream_timeout0.sse').indexOf('data: {"error')));
});

t.test('a request that waits gets keep-alives, then its stream', async (t) => {
  const simulator = await start(t, { maxNumSeqs: 1, keepAliveMs: 4, firstTokenMs: 60_000, replyTokens: 5 });
  const holder = new AbortController();
  const body = { model: MODEL, messages: userMessage(QUESTION), stream: true, stream_options: { include_usage: true } };
  const held = send(simulator.url, '/v1/chat/completions', body, {}, holder.signal).catch(() => 'aborted');
  await simulator.until(() => simulator.metrics.running === 1);
  const response = await fetch(`${simulator.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body) });
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.split(': keep-alive').length === 4) break;
  }
  t.match(text, /^(: keep-alive\n\n)+$/);
  t.ok(bytes('sse_keepalive_queued.sse').startsWith(text.slice(0, 28)));
  holder.abort();
  t.equal(await held, 'aborted');
});

t.test('the metrics have the recorded names, help, types and labels', async (t) => {
  const { url } = await start(t);
  await send(url, '/v1/chat/completions', { model: MODEL, messages: userMessage(QUESTION) });
  const answer = await send(url, '/metrics');
  const lines = answer.text.trimEnd().split('\n');
  const recorded = new Set(bytes('metrics.txt').split('\n').map((line) => (line.startsWith('#') ? line : line.replace(/ [^ ]+$/, ''))));
  for (const line of lines) t.ok(recorded.has(line.startsWith('#') ? line : line.replace(/ [^ ]+$/, '')), line);
  const value = (sample: string): string | undefined => lines.find((line) => line.startsWith(`${sample} `))?.split(' ')[1];
  t.equal(value(`vllm:request_success_total{engine="0",finished_reason="stop",model_name="${MODEL}"}`), '1.0');
  t.equal(value(`vllm:generation_tokens_total{engine="0",model_name="${MODEL}"}`), '8.0');
  t.equal(value(`vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="${MODEL}"}`), '1.0');
});

t.test('unknown paths, methods and bodies are refused as FastAPI does', async (t) => {
  const { url } = await start(t);
  t.match(await send(url, '/v1/embeddings', {}), { status: 404, text: '{"detail":"Not Found"}' });
  t.match(await send(url, '/v1/chat/completions'), { status: 405, text: '{"detail":"Method Not Allowed"}' });
  t.match(await send(url, '/health'), { status: 200, text: '' });
  t.match(await send(url, '/v1/chat/completions', '{'), { status: 400, text: /JSON decode error/ });
  t.match(await send(url, '/v1/chat/completions', '[]'), { status: 400, text: /valid dictionary/ });
  t.match(await send(url, '/v1/chat/completions', {}), { status: 400, text: /body\.messages.*Field required/ });
  t.match(await send(url, '/v1/completions', { prompt: 'x', max_tokens: 1.5, stream: 'maybe' }), { status: 400, text: /2 validation errors.*body\.stream.*body\.max_tokens/ });
  t.match(await send(url, '/v1/completions', { prompt: 'x', top_p: 2 }), { status: 400, text: /top_p must be in \(0, 1\], got 2\.0/ });
  t.match(await send(url, '/v1/completions', { prompt: 'x', stream_options: { include_usage: true } }), { status: 400, text: /when `stream=True`/ });
  t.match(await send(url, '/v1/completions', { prompt: 'x', n: 2 }), { status: 400, text: /does not support `n`/ });
  t.match(await send(url, '/v1/completions', { prompt: 'x', cache_salt: 's', unheard_of: 1 }), { status: 200 });
  t.match(await send(url, '/v1/completions', 'x'.repeat(17 * 1024 * 1024)).catch(() => ({ status: 413 })), { status: 413 });
});
