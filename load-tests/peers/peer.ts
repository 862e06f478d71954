import type { Dialect } from '../stream-client/dialect.ts'

/**
 * A contestant of the benchmarks over streams: a server, in one process of this machine or several, that asks the engine
 * and passes its tokens on to clients as they come. Whoever measures chooses the client by the dialect.
 */
export interface Peer {
  readonly name: string
  /** Where it is something with versions. */
  readonly version?: string | undefined
  readonly dialect: Dialect
  /** Of 127.0.0.1, where clients connect. */
  readonly port: number
  /** By name, what its CPU time and memory are read of; children are counted with each. */
  readonly processes: ReadonlyMap<string, number>
  stop(): Promise<void>
}

export interface PeerKind {
  /** As tables have it, e.g. `ws`. */
  readonly name: string
  /** Resolves once it takes connections. Rejects, with a reason in words, where it cannot be had on this machine. */
  start(engine: EngineUnderTest): Promise<Peer>
}

export interface EngineUnderTest {
  /** Without a slash at the end. The model is `simulated`, and the last user message decides the reply: it is passed on as it came. */
  readonly url: string
  /** Its pace and the length of its replies, for what makes tokens itself. */
  readonly tokensPerSecond: number
  readonly firstTokenMs: number
  readonly replyTokens: number
}
