import { probe } from '../server/listener.ts'

/**
 * Below the ports that systems give to outgoing connections. One of these, given to a client that looks for a server
 * that is just being started again, would keep that server from its port.
 */
const [first, last] = [20_000, 32_000] as const
const attempts = 100

/** Gives a port of `host` that is free, and never one twice. */
export function freePorts(host: string): () => Promise<number> {
  const given = new Set<number>()
  return async () => {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const port = first + Math.floor(Math.random() * (last - first))
      if (given.has(port)) continue
      given.add(port)
      if ((await probe(host, port)) === null) return port
    }
    throw new Error(`no free port of ${host} was found`)
  }
}
