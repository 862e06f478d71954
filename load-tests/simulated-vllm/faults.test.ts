import t, { type Test } from 'tap';

import { FaultBoard, parseFaults, type Fault } from './faults.ts';
import { expectedText, verifyTranscript } from './reply.ts';
import { startSimulatedVllm, type SimulatedVllm } from './server.ts';
import { chat, readTranscript, send, tryToConnect, userMessage } from './test-client.ts';

const MESSAGE = 'What goes wrong?';

async function start(t: Test, options: Parameters<typeof startSimulatedVllm>[0] = {}): Promise<SimulatedVllm> {
  const simulator = await startSimulatedVllm({ replyTokens: 20, ...options });
  t.teardown(() => simulator.close());
  return simulator;
}

function upTo(tokens: number): string {
  return expectedText(MESSAGE, tokens);
}

t.test('cut closes the connection after so many tokens, between events or inside one', async (t) => {
  const { url, faults, requests } = await start(t);
  for (const midFrame of [false, true]) {
    for (const afterTokens of [0, 1, 7, 20]) {
      faults.set([{ kind: 'cut', afterTokens, midFrame, requests: 1 }]);
      if (afterTokens === 0 && !midFrame) {
        await t.rejects(chat(url, MESSAGE), 'not even headers');
      } else {
        const { text, finishReason, done, answer } = await chat(url, MESSAGE);
        t.match({ text, finishReason, done, broken: answer.broken }, { text: upTo(afterTokens), finishReason: null, done: false, broken: true });
        t.equal(answer.text.endsWith('\n\n'), !midFrame, 'whole events');
      }
      t.match(requests.at(-1), { state: 'fault', tokensSent: afterTokens, faults: ['cut'] });
    }
  }
  t.match(await chat(url, MESSAGE), { text: upTo(20), finishReason: 'stop' }, 'the next request is whole again');
});

t.test('cut hits the ids of a chunk of several tokens where it was told to', async (t) => {
  const { url, faults } = await start(t, { streamInterval: 8 });
  faults.set([{ kind: 'cut', afterTokens: 12 }]);
  t.match(await chat(url, MESSAGE), { text: upTo(12), ids: { length: 12 }, answer: { broken: true } });
});

t.test('an error comes in mid-stream, then [DONE]', async (t) => {
  const { url, faults, requests, metrics } = await start(t);
  faults.set([{ kind: 'error_event', afterTokens: 5 }]);
  t.match(await chat(url, MESSAGE), { text: upTo(5), finishReason: null, errorCode: 500, done: true, answer: { status: 200, broken: false } });
  t.match(requests.at(-1), { state: 'fault', tokensSent: 5, faults: ['error_event'] });
  t.match(metrics, { finished: { error: 1 } });
  const whole = await send(url, '/v1/chat/completions', { messages: userMessage(MESSAGE) });
  t.match(whole, { status: 500, text: /EngineCore encountered an issue/ });
});

t.test('[DONE] comes without a finish reason, at the end or before', async (t) => {
  const { url, faults, requests } = await start(t);
  const broken = { finishReason: null, errorCode: undefined, done: true, answer: { broken: false } };
  faults.set([{ kind: 'done_without_finish' }]);
  t.match(await chat(url, MESSAGE), { ...broken, text: upTo(20), ids: { length: 20 } });
  t.match(await chat(url, MESSAGE, { max_tokens: 9 }), { ...broken, text: upTo(9), ids: { length: 9 } });
  t.match(requests.at(-1), { state: 'fault', tokensSent: 9 });
  faults.set([{ kind: 'done_without_finish', afterTokens: 4 }]);
  t.match(await chat(url, MESSAGE), { ...broken, text: upTo(4) });
  t.match(await send(url, '/v1/chat/completions', { messages: userMessage(MESSAGE) }), { status: 200, text: /"finish_reason":"stop"/ }, 'streams alone');
});

for (const keepAlive of [false, true]) {
  t.test(`a stream stalls ${keepAlive ? 'but for keep-alives' : 'in silence'}, holds its place in the batch, and can be aborted`, async (t) => {
    const simulator = await start(t, { keepAliveMs: 4 });
    simulator.faults.set([{ kind: 'stall', afterTokens: 6, keepAlive, requests: 1 }]);
    const controller = new AbortController();
    const body = JSON.stringify({ messages: userMessage(MESSAGE), stream: true });
    const response = await fetch(`${simulator.url}/v1/chat/completions`, { method: 'POST', body, signal: controller.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (readTranscript(text).text !== upTo(6) || (keepAlive && readTranscript(text).keepAlives < 3)) text += (await reader?.read())?.value ?? '';
    // Other requests go on meanwhile, for longer than a keep-alive takes.
    for (let i = 0; i < 20; i++) t.match(await chat(simulator.url, 'another'), { finishReason: 'stop' });
    t.match(simulator.requests[0], { state: 'running', tokensSent: 6, faults: ['stall'] });
    t.equal(simulator.metrics.running, 1);
    controller.abort();
    await simulator.until(() => simulator.metrics.running === 0);
    t.equal(simulator.requests[0]?.state, 'aborted');
    let rest = '';
    await t.rejects(async () => {
      for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) rest += read.value;
    });
    t.equal(readTranscript(text + rest).text, upTo(6), 'no further token');
    if (!keepAlive) t.equal(readTranscript(text + rest).keepAlives, 0);
  });
}

t.test('requests are refused with 503, 500, or inside a stream', async (t) => {
  const { url, faults, requests } = await start(t);
  faults.set([{ kind: 'http_error', requests: 1 }, { kind: 'http_error', status: 500, requests: 1 }, { kind: 'queue_full_in_stream', requests: 2 }]);
  const body = { messages: userMessage(MESSAGE), stream: true };
  t.match(await send(url, '/v1/chat/completions', body), { status: 503, text: /currently busy/ });
  t.match(await send(url, '/v1/chat/completions', body), { status: 500, text: /cannot schedule new futures after shutdown/ });
  t.match(await chat(url, MESSAGE), { errorCode: 503, done: true, text: '', answer: { status: 200 } });
  t.match(await send(url, '/v1/chat/completions', { ...body, stream: false }), { status: 503 }, 'an answer in one piece has no events');
  t.match(await chat(url, MESSAGE), { finishReason: 'stop' });
  t.same(requests.map(({ state }) => state), ['fault', 'fault', 'fault', 'fault', 'stop']);
  t.equal((await send(url, '/health')).status, 200, 'health tells nothing of it');
});

t.test('a connection is reset before any answer', async (t) => {
  const { url, faults, requests } = await start(t);
  faults.set([{ kind: 'reset', requests: 1 }]);
  await t.rejects(chat(url, MESSAGE));
  t.match(requests, [{ state: 'fault', faults: ['reset'], tokensSent: 0 }]);
  t.match(await chat(url, MESSAGE), { finishReason: 'stop' });
});

t.test('connections are refused, new ones by the system and requests on old ones by a reset, while streams go on', async (t) => {
  const simulator = await start(t, { tokensPerSecond: 500 });
  const running = chat(simulator.url, 'goes on [[tokens=100]]');
  await simulator.until(() => (simulator.requests[0]?.tokensSent ?? 0) > 0);
  t.equal((await send(simulator.url, '/health')).status, 200, 'leaves an open connection');
  simulator.faults.set([{ kind: 'refuse' }]);
  t.equal(await tryToConnect(simulator.port), 'ECONNREFUSED');
  await t.rejects(send(simulator.url, '/health'));
  await t.rejects(send(simulator.url, '/v1/completions', { prompt: 'x' }));
  t.ok(verifyTranscript((await running).text, 'goes on [[tokens=100]]', { tokens: 100 }).ok);
  simulator.faults.clear();
  t.equal(await tryToConnect(simulator.port), 'connected', 'on the same port');
  t.match(await chat(simulator.url, MESSAGE), { finishReason: 'stop' });
});

t.test('connections are refused for a time', async (t) => {
  const { port, faults } = await start(t);
  faults.set([{ kind: 'refuse', forMs: 30 }]);
  t.equal(await tryToConnect(port), 'ECONNREFUSED');
  while ((await tryToConnect(port)) !== 'connected');
  t.same(faults.active, []);
});

t.test('token ids are left out although asked for', async (t) => {
  const { url, faults } = await start(t);
  faults.set([{ kind: 'no_token_ids' }, { kind: 'cut', afterTokens: 5 }]);
  t.match(await chat(url, MESSAGE), { text: upTo(5), ids: { length: 0 }, promptIds: { length: 0 }, answer: { broken: true } });
});

t.test('a fault at a position of the reply breaks each reply once, and not what resumes it', async (t) => {
  const { url, faults } = await start(t);
  faults.set([{ kind: 'cut', atToken: 8 }]);
  for (const message of [MESSAGE, 'Another question']) {
    const first = await chat(url, message);
    t.match(first, { text: expectedText(message, 8), answer: { broken: true } });
    const body = { prompt: [...first.promptIds, ...first.ids], max_tokens: 100, stream: true };
    const rest = readTranscript((await send(url, '/v1/completions', body)).text);
    t.match(rest, { finishReason: 'stop' });
    t.ok(verifyTranscript(first.text + rest.text, message, { tokens: 20 }).ok);
  }
});

t.test('a fault waits for a request that it can hit, and of several the earliest comes', async (t) => {
  const board = new FaultBoard(() => {});
  const cut: Fault = { kind: 'cut', afterTokens: 10, requests: 1 };
  board.set([cut, { kind: 'stall', afterTokens: 4, requests: 1 }, { kind: 'http_error', requests: 1 }]);
  t.match(board.take(0, 21, true), { early: { kind: 'http_error' }, midReply: undefined, kinds: ['http_error'] });
  t.match(board.take(0, 3, true), { midReply: undefined, kinds: [] }, 'too short for either');
  t.match(board.take(0, 21, true), { midReply: { fault: { kind: 'stall' }, afterSteps: 4 }, kinds: ['stall'] });
  t.same(board.active, [cut]);
  t.match(board.take(7, 21, true), { midReply: { fault: cut, afterSteps: 10 } });
  t.same(board.active, []);
  board.set([{ kind: 'cut', atToken: 10 }, { kind: 'done_without_finish', requests: 1 }]);
  t.match(board.take(7, 21, false), { midReply: { afterSteps: 3 }, withoutFinish: false }, 'counted from where the request goes on');
  t.match(board.take(10, 21, true), { midReply: undefined, withoutFinish: true, kinds: ['done_without_finish'] });
  board.close();
});

t.test('faults are set over HTTP, and wrong ones are refused', async (t) => {
  const { url, faults } = await start(t);
  const set = [{ kind: 'cut', atToken: 3, requests: 2 }];
  t.match(await send(url, '/simulator/faults', { faults: set }), { status: 200, text: JSON.stringify({ faults: set }) });
  t.match(await chat(url, MESSAGE), { text: upTo(3) });
  t.equal((await send(url, '/simulator/faults')).text, '{"faults":[{"kind":"cut","atToken":3,"requests":1}]}');
  const wrong: [unknown, RegExp][] = [
    [undefined, /must be a list/],
    [[{ kind: 'fire' }], /kind must be one of refuse/],
    [[{ kind: 'toString' }], /kind must be one of/],
    [[null], /kind must be one of/],
    [[{ kind: 'cut', afterTokens: -1 }], /cut\.afterTokens must be a whole number/],
    [[{ kind: 'cut', midFrame: 1 }], /cut\.midFrame must be true or false/],
    [[{ kind: 'reset', afterTokens: 1 }], /reset has no field afterTokens/],
    [[{ kind: 'cut', afterTokens: 1, atToken: 1 }], /not both/],
    [[{ kind: 'http_error', status: 418 }], /500 or 503/],
    [Array.from({ length: 65 }, () => ({ kind: 'reset' })), /at most 64/],
  ];
  for (const [value, message] of wrong) {
    t.throws(() => parseFaults(value), message);
    const answer = await send(url, '/simulator/faults', { faults: value });
    t.equal(answer.status, 400);
    t.match((JSON.parse(answer.text) as { error: string }).error, message);
  }
  t.match(await send(url, '/simulator/faults', '{'), { status: 400 });
  t.same(faults.active, [{ kind: 'cut', atToken: 3, requests: 1 }], 'those in force stay');
});
