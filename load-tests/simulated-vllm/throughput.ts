/**
 * What a million tokens cost the simulator in CPU seconds: its own process, read by as many raw sockets as
 * there are streams, which throw the bytes away. Usage: throughput.ts [streams] [tokens per second] [seconds],
 * where 0 tokens a second means as fast as possible.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const REPLY_TOKENS = 2000;
/** Linux counts CPU time in hundredths of a second (USER_HZ). */
const TICKS_PER_SECOND = 100;

const [streams = 200, rate = 50, seconds = 10] = process.argv.slice(2).map(Number);

function cpuSeconds(pid: number): number {
  // Fields after the name, which may hold spaces: utime and stime are the 14th and 15th of all.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function generatedTokens(port: number): Promise<number> {
  const log = (await (await fetch(`http://127.0.0.1:${port}/simulator/requests`)).json()) as { requests: { tokensSent: number }[] };
  return log.requests.reduce((sum, { tokensSent }) => sum + tokensSent, 0);
}

function startStream(port: number): Socket {
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'measure' }], stream: true, return_token_ids: true, max_tokens: REPLY_TOKENS, ignore_eos: true });
  const request = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const socket = connect(port, '127.0.0.1', () => socket.write(request));
  socket.on('data', (bytes) => {
    if (bytes.subarray(-5).toString('latin1') === '0\r\n\r\n') socket.write(request);
  });
  return socket;
}

const child = spawn(
  process.execPath,
  [new URL('./main.js', import.meta.url).pathname, '--tokens-per-second', String(rate), '--max-num-seqs', String(streams), '--max-model-len', '65000'],
  { stdio: ['pipe', 'pipe', 'inherit'] },
);
const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
const { port } = JSON.parse(line) as { port: number };
const sockets = Array.from({ length: streams }, () => startStream(port));
await sleep(1000);
const pid = child.pid ?? 0;
const before = { cpu: cpuSeconds(pid), tokens: await generatedTokens(port), at: performance.now() };
await sleep(seconds * 1000);
const after = { cpu: cpuSeconds(pid), tokens: await generatedTokens(port), at: performance.now() };
const tokens = after.tokens - before.tokens;
const cpu = after.cpu - before.cpu;
process.stdout.write(
  `${JSON.stringify({
    streams, rate, tokens,
    tokensPerSecond: Math.round(tokens / ((after.at - before.at) / 1000)),
    cores: Number((cpu / ((after.at - before.at) / 1000)).toFixed(3)),
    cpuSecondsPerMillionTokens: Number(((cpu / tokens) * 1e6).toFixed(2)),
  })}\n`,
);
for (const socket of sockets) socket.destroy();
child.stdin.end();
await once(child, 'exit');
