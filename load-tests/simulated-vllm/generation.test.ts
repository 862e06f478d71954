import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import fc from 'fast-check';
import t, { type Test } from 'tap';

import { completeOptions } from './options.ts';
import { expectedText, verifyTranscript } from './reply.ts';
import { startSimulatedVllm, type SimulatedVllm } from './server.ts';
import { chat, readTranscript, send, userMessage } from './test-client.ts';

async function start(t: Test, options: Parameters<typeof startSimulatedVllm>[0] = {}): Promise<SimulatedVllm> {
  const simulator = await startSimulatedVllm(options);
  t.teardown(() => simulator.close());
  return simulator;
}

/** A chat that runs until it is aborted. */
function holdChat(url: string, content: string, extra: Record<string, unknown> = {}): { abort: () => Promise<unknown> } {
  const controller = new AbortController();
  const body = { messages: userMessage(content), stream: true, ...extra };
  const ended = send(url, '/v1/chat/completions', body, {}, controller.signal).catch(() => 'aborted');
  return {
    abort: () => {
      controller.abort();
      return ended;
    },
  };
}

t.test('a reply is what the prompt lets expect, and as long as asked', async (t) => {
  const { url } = await start(t);
  const whole = await chat(url, 'Hello there');
  t.match(whole, { text: expectedText('Hello there', 50), finishReason: 'stop', completionTokens: 51, done: true });
  t.same(verifyTranscript(whole.text, 'Hello there', { tokens: 50 }), { ok: true, tokens: 50 });
  t.match(await chat(url, 'Hello [[tokens=3]]'), { text: expectedText('Hello [[tokens=3]]', 3), finishReason: 'stop', completionTokens: 4 });
  t.match(await chat(url, 'Hello there', { max_tokens: 50 }), { finishReason: 'length', completionTokens: 50 });
  t.match(await chat(url, 'Hello there', { max_tokens: 51 }), { finishReason: 'stop', completionTokens: 51 });
  t.match(await chat(url, 'Hello there', { max_completion_tokens: 5 }), { finishReason: 'length', completionTokens: 5 });
  t.match(await chat(url, 'Hello there', { min_tokens: 60 }), { finishReason: 'stop', completionTokens: 61 });
  t.match(await chat(url, 'Hello there', { ignore_eos: true, max_tokens: 70 }), { finishReason: 'length', completionTokens: 70 });
  const third = whole.ids[2];
  t.match(await chat(url, 'Hello there', { stop_token_ids: [third] }), { text: expectedText('Hello there', 2), finishReason: 'stop', stopReason: third });
});

t.test('prompts are counted exactly, and told as they were tokenized', async (t) => {
  const { url } = await start(t);
  const messages = [{ role: 'system', content: 'Be brief.' }, ...userMessage('Größe? 😀 <|im_end|>')];
  const tokenized = JSON.parse((await send(url, '/tokenize', { messages })).text) as { count: number; tokens: number[]; max_model_len: number };
  const { promptIds } = readTranscript((await send(url, '/v1/chat/completions', { messages, stream: true, return_token_ids: true })).text);
  t.same(tokenized, { count: promptIds.length, max_model_len: 4096, tokens: promptIds, token_strs: null });
  const detokenized = JSON.parse((await send(url, '/detokenize', { tokens: promptIds })).text) as { prompt: string };
  t.equal(detokenized.prompt, '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nGröße? 😀 <|im_end|><|im_end|>\n<|im_start|>assistant\n');
});

t.test('stream_interval puts several tokens in a chunk, after a first chunk of one', async (t) => {
  const { url } = await start(t, { streamInterval: 4, replyTokens: 10 });
  const sizes = ({ chunks }: { chunks: { ids: number }[] }): number[] => chunks.map(({ ids }, index) => ids - (chunks[index - 1]?.ids ?? 0));
  t.same(sizes(await chat(url, 'a')), [1, 4, 4, 2]);
  t.same(sizes(await chat(url, 'a', { stream_interval: 6 })), [1, 6, 4]);
  t.same(sizes(await chat(url, 'a', { stream_interval: 1 })), [1, 4, 4, 2], 'no less than the server says');
});

t.test('prompt ids and received ids go on at exactly the next token, at every cut', async (t) => {
  const simulator = await start(t, { replyTokens: 40 });
  const { url } = simulator;
  for (const message of ['Tell me a story', 'Tell me a story [[multibyte]]']) {
    const whole = await chat(url, message);
    const promptHash = simulator.requests.at(-1)?.promptHash ?? '';
    for (let cut = 0; cut <= whole.ids.length; cut++) {
      const prompt = [...whole.promptIds, ...whole.ids.slice(0, cut)];
      const body = { prompt, max_tokens: 100, stream: true, return_token_ids: true, add_special_tokens: false };
      const rest = readTranscript((await send(url, '/v1/completions', body)).text);
      const end = cut === whole.ids.length ? whole.ids.slice(-1) : whole.ids.slice(cut);
      t.same([rest.ids, rest.finishReason], [end, 'stop'], `${message} from ${cut}`);
      t.match(simulator.requests.at(-1), { resumedAt: Math.min(cut, 40), resumedIntact: true, promptHash });
      // Cut where all ids have their text, as the bridge does, the texts join without a seam.
      const shown = whole.chunks.find(({ ids }) => ids === cut)?.text ?? '';
      if (expectedText(message, cut) !== expectedText(message, cut - 1)) t.equal(shown + rest.text, whole.text);
    }
  }
});

t.test('resumption is exact for any message, length, interval and cut', async (t) => {
  const { url } = await start(t);
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'grapheme', maxLength: 40 }), fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 9 }), fc.boolean(), fc.nat(),
      async (words, tokens, interval, multibyte, seed) => {
        const message = `${words}[[tokens=${tokens}]]${multibyte ? '[[multibyte]]' : ''}`;
        const whole = await chat(url, message, { stream_interval: interval });
        const cut = seed % whole.ids.length;
        const prompt = [...whole.promptIds, ...whole.ids.slice(0, cut)];
        const rest = readTranscript((await send(url, '/v1/completions', { prompt, max_tokens: 100, stream: true, return_token_ids: true })).text);
        return verifyTranscript(whole.text, message, { tokens }).ok && [...whole.ids.slice(0, cut), ...rest.ids].join() === whole.ids.join();
      },
    ),
    { numRuns: 40 },
  );
});

t.test('a final message that is left open goes on where its text ends', async (t) => {
  const simulator = await start(t, { replyTokens: 20 });
  for (let cut = 1; cut <= 20; cut++) {
    const messages = [...userMessage('Go on'), { role: 'assistant', content: expectedText('Go on', cut) }];
    const body = { messages, continue_final_message: true, add_generation_prompt: false, stream: true };
    const rest = readTranscript((await send(simulator.url, '/v1/chat/completions', body)).text);
    t.equal(expectedText('Go on', cut) + rest.text, expectedText('Go on', 20));
    t.match(simulator.requests.at(-1), { resumedAt: cut, resumedIntact: true });
  }
});

t.test('the request log tells a second generation from the start from a resumption', async (t) => {
  const simulator = await start(t, { replyTokens: 10 });
  const whole = await chat(simulator.url, 'Count me', { request_id: 'mine' });
  await send(simulator.url, '/v1/completions', { prompt: [...whole.promptIds, ...whole.ids.slice(0, 4)], max_tokens: 50 }, { 'x-request-id': 'resumed' });
  await send(simulator.url, '/v1/completions', { prompt: [...whole.promptIds, ...whole.ids.slice(1, 4)], max_tokens: 3 });
  await chat(simulator.url, 'Count me');
  const log = simulator.requests;
  t.match(log, [
    { id: 'chatcmpl-mine', resumedAt: 0, tokensSent: 11, state: 'stop', overlapping: 0, path: '/v1/chat/completions', stream: true },
    { id: 'cmpl-resumed', resumedAt: 4, resumedIntact: true, tokensSent: 7, state: 'stop', path: '/v1/completions', stream: false },
    { resumedAt: 3, resumedIntact: false, tokensSent: 3, state: 'length' },
    { resumedAt: 0, tokensSent: 11, state: 'stop' },
  ]);
  t.equal(new Set(log.map(({ promptHash }) => promptHash)).size, 1, 'one prompt');
  t.ok(whole.text.startsWith(`[${log[0]?.tag}]`), 'the tag in the text');
  const served = JSON.parse((await send(simulator.url, '/simulator/requests')).text) as { requests: unknown[]; forgotten: number };
  t.same(served.requests, log);
  t.equal(served.forgotten, 0);
});

t.test('the request log forgets the oldest when it is full', async (t) => {
  const simulator = await start(t, { requestLogSize: 2, replyTokens: 1 });
  for (const name of ['a', 'b', 'c']) await chat(simulator.url, 'x', { request_id: name });
  t.same(simulator.requests.map(({ id }) => id), ['chatcmpl-b', 'chatcmpl-c']);
  t.match(JSON.parse((await send(simulator.url, '/simulator/requests')).text), { forgotten: 1 });
});

t.test('requests beyond the batch wait their turn, first come first served', async (t) => {
  const simulator = await start(t, { maxNumSeqs: 2, firstTokenMs: 60_000 });
  const states = (): string[] => simulator.requests.map(({ state }) => state);
  const held: { abort: () => Promise<unknown> }[] = [];
  for (let i = 0; i < 4; i++) {
    held.push(holdChat(simulator.url, `request ${i}`));
    await simulator.until(() => simulator.requests.length === i + 1);
  }
  t.same(states(), ['running', 'running', 'waiting', 'waiting']);
  t.match(simulator.metrics, { running: 2, waiting: 2, peakRunning: 2, peakWaiting: 2 });
  t.match((await send(simulator.url, '/metrics')).text, /vllm:num_requests_running\{[^}]*\} 2\.0\n[^]*vllm:num_requests_waiting\{[^}]*\} 2\.0\n/);
  t.equal(await held[1]?.abort(), 'aborted');
  await simulator.until(() => simulator.metrics.waiting === 1);
  t.same(states(), ['running', 'aborted', 'running', 'waiting']);
  await held[3]?.abort();
  await simulator.until(() => simulator.metrics.waiting === 0);
  t.same(states(), ['running', 'aborted', 'running', 'aborted'], 'one that waits can be aborted too');
  await Promise.all(held.map(({ abort }) => abort()));
  await simulator.until(() => simulator.metrics.running === 0);
  t.match(simulator.metrics, { finished: { abort: 4 }, generationTokens: 0 });
});

t.test('a client that goes away in mid-stream aborts its request, streamed or not', async (t) => {
  const simulator = await start(t, { tokensPerSecond: 1000 });
  for (const stream of [true, false]) {
    const chat = holdChat(simulator.url, 'a long story', { stream, ignore_eos: true });
    await simulator.until(() => simulator.metrics.running === 1 && (!stream || (simulator.requests.at(-1)?.tokensSent ?? 0) > 3));
    await chat.abort();
    await simulator.until(() => simulator.metrics.running === 0);
    t.equal(simulator.requests.at(-1)?.state, 'aborted');
  }
});

t.test('two requests for one prompt at once are seen as overlapping', async (t) => {
  const simulator = await start(t, { firstTokenMs: 60_000 });
  const held = ['same', 'same', 'other'].map((content) => holdChat(simulator.url, content));
  await simulator.until(() => simulator.metrics.running === 3);
  t.same(simulator.requests.map(({ overlapping }) => overlapping).sort(), [0, 0, 1]);
  await Promise.all(held.map(({ abort }) => abort()));
  await simulator.until(() => simulator.metrics.running === 0);
  simulator.faults.set([{ kind: 'reset', requests: 1 }]);
  await t.rejects(chat(simulator.url, 'same'));
  t.equal(simulator.requests.at(-1)?.overlapping, 0);
});

t.test('the first token and the rate are no earlier than set', async (t) => {
  const simulator = await start(t, { firstTokenMs: 40, tokensPerSecond: 200, replyTokens: 10 });
  const startedAt = performance.now();
  const whole = await chat(simulator.url, 'slowly');
  // The first token at 40 ms, ten more 5 ms apart; the clocks may differ by the resolution of a timer.
  t.ok(performance.now() - startedAt >= 40 + 50 - 2);
  t.ok(verifyTranscript(whole.text, 'slowly', { tokens: 10 }).ok);
});

t.test('a client that does not read holds back its own stream alone, and loses nothing', async (t) => {
  const simulator = await start(t, { maxModelLen: 60_000, replyTokens: 40_000 });
  const body = JSON.stringify({ messages: userMessage('slow reader'), stream: true, return_token_ids: true });
  const socket = connect(simulator.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  socket.pause();
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  await simulator.until(() => (simulator.requests[0]?.tokensSent ?? 0) > 1000);
  // It stands still once the buffers of the system are full.
  for (let sent = -1; sent !== simulator.requests[0]?.tokensSent; await sleep(50)) sent = simulator.requests[0]?.tokensSent ?? 0;
  t.ok((simulator.requests[0]?.tokensSent ?? 0) < 40_000);
  t.ok(verifyTranscript((await chat(simulator.url, 'other [[tokens=30]]')).text, 'other [[tokens=30]]', { tokens: 30 }).ok);
  let received = '';
  socket.setEncoding('utf8');
  socket.on('data', (piece: string) => (received += piece));
  socket.resume();
  await simulator.until(() => simulator.requests[0]?.state === 'stop');
  while (!received.endsWith('\r\n0\r\n\r\n')) await once(socket, 'data');
  // Every event is an HTTP chunk of its own.
  const sse = [...received.matchAll(/\r\n[0-9a-f]+\r\n(data: [^\r]*)/g)].map((match) => match[1]).join('');
  t.same(verifyTranscript(readTranscript(sse).text, 'slow reader', { tokens: 40_000 }), { ok: true, tokens: 40_000 });
});

t.test('many streams at once each get their own reply', async (t) => {
  const simulator = await start(t, { maxNumSeqs: 40, tokensPerSecond: 500, replyTokens: 30 });
  const messages = Array.from({ length: 100 }, (_, index) => `stream ${index}`);
  const transcripts = await Promise.all(messages.map((message) => chat(simulator.url, message)));
  transcripts.forEach(({ text }, index) => t.ok(verifyTranscript(text, messages[index] ?? '', { tokens: 30 }).ok));
  t.match(simulator.metrics, { running: 0, waiting: 0, peakRunning: 40, finished: { stop: 100 }, generationTokens: 100 * 31 });
});

t.test('close ends every stream, waits and all, and may be called twice', async (t) => {
  const simulator = await startSimulatedVllm({ firstTokenMs: 60_000 });
  const held = holdChat(simulator.url, 'held');
  await simulator.until(() => simulator.metrics.running === 1);
  const never = t.rejects(simulator.until(() => false));
  await Promise.all([simulator.close(), simulator.close()]);
  await never;
  await t.rejects(simulator.until(() => false));
  t.equal(simulator.requests[0]?.state, 'aborted');
  t.equal(await held.abort(), 'aborted');
  await t.rejects(send(simulator.url, '/health'));
  const successor = await start(t, { port: simulator.port });
  t.equal((await send(successor.url, '/health')).status, 200, 'the port is free for another');
  await t.rejects(startSimulatedVllm({ port: simulator.port }), /can't listen/, 'and not shared');
});

t.test('options out of range are refused, all at once', async (t) => {
  t.throws(() => completeOptions({ maxNumSeqs: 0, streamInterval: 1.5, model: '' }), /maxNumSeqs must be.*streamInterval must be.*model must not/);
  await t.rejects(startSimulatedVllm({ maxModelLen: 70_000 }), RangeError);
});

t.test('as a process it says when it is ready, takes options, and ends with its standard input', async (t) => {
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const child = spawn(process.execPath, [main, '--model', 'named', '--reply-tokens', '5', '--multibyte', '--max-model-len', '512'], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { ready, port } = JSON.parse(line) as { ready: boolean; port: number };
  t.equal(ready, true);
  t.match((await send(`http://127.0.0.1:${port}`, '/v1/models')).text, /"id":"named".*"max_model_len":512/);
  t.match(await chat(`http://127.0.0.1:${port}`, 'hi', { model: 'named' }), { text: expectedText('hi', 5, { multibyte: true }), finishReason: 'stop' });
  child.stdin.end();
  t.same(await once(child, 'exit'), [0, null]);
  const refused = spawn(process.execPath, [main, '--max-num-seqs', 'many'], { stdio: 'ignore' });
  t.same(await once(refused, 'exit'), [1, null]);
});
