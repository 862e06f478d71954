/** What a process of ours spends its CPU time on, as its profile tells: by the part that called, with the kernel's work for it. */

/** Of V8, as `Profiler.stop` hands it over: a tree of calls, and which of them was under way at each sample. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string; readonly url: string }; readonly children?: readonly number[] }[]
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}

/** What takes the profile. */
const profiler = /\/load-tests\/bench\//
const garbage = 'garbage'
const node = 'Node itself, and what others of its libraries call'

/** By the addresses of modules; the first that fits. */
const parts: readonly (readonly [RegExp, string])[] = [
  [/\/dist\/(server|protocol)\/websocket\//, 'WebSocket: frames, and sending them'],
  [/\/node_modules\/pg\b|\/dist\/storage\//, 'Postgres: statements, rows, exchanges'],
  [/\/node_modules\/ioredis\/|\/dist\/platform\/(redis|limits|cache)\/|\/dist\/actors\/(context|limits)\//, 'Redis: limits, contexts, exchanges'],
  [/\/node_modules\/@nats-io\/|\/dist\/platform\/bus\/|\/dist\/protocol\/(bus|msgpack)\/|\/dist\/actors\/jobs\//, 'NATS: jobs, batches of tokens, exchanges'],
  [/\/dist\/inference-bridge\/vllm\//, "the engine's events: HTTP, parsing"],
  [/\/dist\/actors\//, 'conversations: their states, their feeds'],
  [/\/dist\/inference-bridge\//, 'replies: numbering, fencing, batching'],
  [/\/dist\//, 'the rest of ChatterBot'],
]

/** Shares of the time in which it was not idle, from 0 to 1, the largest first. */
export function cpuShares({ nodes, samples, timeDeltas }: CpuProfile): ReadonlyMap<string, number> {
  const byId = new Map(nodes.map((each) => [each.id, each]))
  const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const spent = new Map<string, number>()
  let all = 0
  for (const [index, sample] of samples.entries()) {
    const name = byId.get(sample)?.callFrame.functionName
    if (name === '(idle)') continue
    const us = timeDeltas[index] ?? 0
    const part = name === '(garbage collector)' ? garbage : partOf(sample)
    if (part === undefined) continue
    spent.set(part, (spent.get(part) ?? 0) + us)
    all += us
  }
  return new Map([...spent].map(([part, us]) => [part, us / all] as const).toSorted(([, one], [, other]) => other - one))

  /** Of the innermost call that is known to be somebody's; undefined where that is what takes the profile. */
  function partOf(sample: number): string | undefined {
    for (let id: number | undefined = sample; id !== undefined; id = callers.get(id)) {
      const url = byId.get(id)?.callFrame.url ?? ''
      if (profiler.test(url)) return undefined
      const found = parts.find(([address]) => address.test(url))
      if (found !== undefined) return found[1]
    }
    return node
  }
}
