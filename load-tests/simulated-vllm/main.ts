/** The simulated vLLM as a process of its own: options on the command line, one line of JSON when it is ready, ends with its standard input. */
import { parseArgs } from 'node:util';

import { DEFAULT_OPTIONS, type SimulatedVllmOptions } from './options.ts';
import { startSimulatedVllm } from './server.ts';

/** `maxNumSeqs` is `--max-num-seqs` on the command line. */
function flagOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function readArguments(argv: string[]): Partial<SimulatedVllmOptions> {
  const names = Object.keys(DEFAULT_OPTIONS) as (keyof SimulatedVllmOptions)[];
  const isFlag = (name: keyof SimulatedVllmOptions): boolean => typeof DEFAULT_OPTIONS[name] === 'boolean';
  const { values } = parseArgs({
    args: argv,
    options: Object.fromEntries(names.map((name) => [flagOf(name), { type: isFlag(name) ? ('boolean' as const) : ('string' as const) }])),
  });
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = values[flagOf(name)];
      if (value === undefined) return [];
      return [[name, typeof DEFAULT_OPTIONS[name] === 'number' ? Number(value) : value]];
    }),
  );
}

const simulator = await startSimulatedVllm(readArguments(process.argv.slice(2)));
process.stdout.write(`${JSON.stringify({ ready: true, port: simulator.port })}\n`);
process.stdin.on('close', () => void simulator.close());
process.stdin.resume();
