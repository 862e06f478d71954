/** Runs `task` on the first call; that call's promise, and so its failure, is everyone's. */
export function once(task: () => Promise<void>): () => Promise<void> {
  let shared: Promise<void> | undefined
  return () => (shared ??= task())
}
