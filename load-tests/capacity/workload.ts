/** What is asked of a deployment, and what its GPUs can do. */
export interface Workload {
  /** People in a conversation at the same time. */
  readonly users: number
  /** Seconds from the end of a reply to the next message, on average: reading, thinking, typing. */
  readonly thinkS: number
  /** Tokens of the context that the engine reads for a reply, on average. */
  readonly promptTokens: number
  /** Tokens of a reply, on average. */
  readonly replyTokens: number
}

export interface Gpu {
  /** All streams of a replica together, when it is full. */
  readonly tokensPerS: number
  /** One stream, when it is alone. */
  readonly streamTokensPerS: number
  /** Replies that a replica writes at a time, vLLM's --max-num-seqs. */
  readonly streams: number
  /** Tokens that the KV cache holds, contexts and replies together. */
  readonly kvTokens: number
  /** Seconds that the engine reads a context, before the first token. */
  readonly prefillS: number
  readonly dollarsPerHour: number
}

/** Replies that a replica can write at a time: its batch, or what its KV cache holds. */
export function slotsOf(gpu: Gpu, { promptTokens, replyTokens }: Workload): number {
  return Math.max(1, Math.min(gpu.streams, Math.floor(gpu.kvTokens / (promptTokens + replyTokens))))
}

/**
 * Seconds that a replica with `busy` streams takes to write a reply. Streams share what the GPU can do: alone each has its
 * own speed, together they have the replica's.
 */
export function replyS(gpu: Gpu, { replyTokens }: Workload, busy: number): number {
  return gpu.prefillS + replyTokens / Math.min(gpu.streamTokensPerS, gpu.tokensPerS / Math.max(1, busy))
}
