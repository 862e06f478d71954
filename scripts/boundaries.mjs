import path from 'node:path'
import { readImportGraph } from './import-graph.mjs'

/** Folders are layers: what the files of each may import besides their own. `*` is everything. */
const layers = {
  protocol: [],
  platform: ['protocol'],
  storage: ['protocol', 'platform'],
  actors: ['protocol', 'platform', 'storage'],
  server: ['protocol', 'platform', 'storage', 'actors'],
  'inference-bridge': ['protocol', 'platform'],
  operator: ['protocol', 'platform', 'storage'],
  client: ['protocol'],
  'load-tests': ['protocol', 'client'],
  web: ['protocol', 'client'],
  standalone: ['*'],
  cluster: ['*'],
  tests: ['*']
}

/** A composition root chooses the adapters and passes them down. */
const compositionRoot = /^[^/]+\/main\.ts$/

/** Benchmarks and whom they compare measure every part, and are no part of anything. */
const benchmarks = /^load-tests\/(bench|floors|peers)\//

/** Tests, benchmarks and what they share. They see their layer's own, the harness and the simulated engine, and may speak to a server with any library. */
const testCode = /\.(test|bench)\.tsx?$|\/testing\/|^tests\/|^load-tests\/(floors|peers)\//
const forTests = ['tests/harness/', 'load-tests/simulated-vllm/']

/** Client libraries, and the only folders that know them; everyone else uses the port. */
const owners = [
  { packages: /^pg(-cursor)?$/, folders: ['storage/postgres/'] },
  { packages: /^undici$/, folders: ['inference-bridge/'] },
  { packages: /^uWebSockets\.js$/, folders: ['server/', 'load-tests/'] },
  { packages: /^@nats-io\//, folders: ['platform/bus/nats/'] },
  { packages: /^ioredis$/, folders: ['platform/redis/'] },
  { packages: /^@opentelemetry\//, folders: ['platform/tracing/otlp/'] },
  { packages: /^lru-cache$/, folders: ['platform/cache/memory/', 'actors/context/', 'server/auth/'] },
  { packages: /^jose$/, folders: ['server/auth/jwt/'] },
  { packages: /^rate-limiter-flexible$/, folders: ['platform/limits/'] },
  { packages: /^node-llama-cpp$/, folders: ['inference-bridge/local-engine/'] }
]

/** Configuration is read once, by a program's main file, and passed in. */
const mayReadEnvironment = (file) => file.endsWith('/main.ts') || ['platform/config/', 'cluster/programs/', 'tests/harness/'].some((folder) => file.startsWith(folder))

/** Every breach of the rules above and every import cycle below `root`, as `file:line: what is wrong`. */
export function findBreaches(root) {
  const graph = readImportGraph(root, Object.keys(layers))
  const breaches = []
  for (const [file, { imports, environment }] of graph) {
    for (const { specifier, line, target } of imports) {
      const fault = target === undefined ? packageFault(file, specifier) : layerFault(file, target)
      if (fault !== undefined) breaches.push(`${file}:${line}: ${fault}`)
    }
    if (mayReadEnvironment(file)) continue
    for (const line of environment) breaches.push(`${file}:${line}: reads process.env; declare the option in platform/config and pass it in`)
  }
  return [...breaches, ...findCycles(graph).map((cycle) => `${cycle[0]}: import cycle: ${cycle.join(' -> ')}`)]
}

function packageFault(file, specifier) {
  if (testCode.test(file) || benchmarks.test(file)) return undefined
  const owner = owners.find(({ packages }) => packages.test(specifier))
  if (owner === undefined || owner.folders.some((folder) => file.startsWith(folder))) return undefined
  return `imports ${specifier}, which only ${owner.folders.join(', ')} may`
}

function layerFault(file, target) {
  const [from] = file.split('/')
  const [to] = target.split('/')
  const allowed = layers[from]
  if (!testCode.test(file) && testCode.test(target)) return `imports ${target}, which is for tests`
  if (from === to || allowed.includes('*') || allowed.includes(to)) return undefined
  if ((compositionRoot.test(file) || benchmarks.test(file)) && to in layers) return undefined
  if (testCode.test(file) && forTests.some((folder) => target.startsWith(folder))) return undefined
  return `${from} imports ${path.posix.normalize(target)}; it may import ${['itself', ...allowed].join(', ')}`
}

/** One cycle for each group of files that reach each other (Tarjan's strongly connected components). */
function findCycles(graph) {
  const order = new Map()
  const low = new Map()
  const stack = []
  const cycles = []
  const targets = (file) => graph.get(file).imports.map(({ target }) => target).filter((target) => graph.has(target))

  const visit = (file) => {
    order.set(file, order.size)
    low.set(file, order.get(file))
    stack.push(file)
    for (const target of targets(file)) {
      if (!order.has(target)) visit(target)
      if (stack.includes(target)) low.set(file, Math.min(low.get(file), low.get(target)))
    }
    if (low.get(file) !== order.get(file)) return
    const group = new Set(stack.splice(stack.indexOf(file)))
    if (group.size > 1 || targets(file).includes(file)) cycles.push(cycleThrough(file, group, targets))
  }
  for (const file of graph.keys()) if (!order.has(file)) visit(file)
  return cycles
}

/** The shortest way from `start` back to itself within its group. */
function cycleThrough(start, group, targets) {
  const paths = [[start]]
  const seen = new Set()
  for (const way of paths) {
    for (const target of targets(way.at(-1))) {
      if (target === start) return [...way, start]
      if (!group.has(target) || seen.has(target)) continue
      seen.add(target)
      paths.push([...way, target])
    }
  }
  return [start]
}
