import type { ProgramOptions } from '../processes/child.ts'

/** A server that the cluster stands on: found, or started by it. */
export interface ServiceProgram {
  readonly name: 'nats' | 'redis' | 'postgres'
  /** What our processes are told; several with commas between. */
  readonly url: string
  /** Null: somebody else runs it. */
  readonly program: Pick<ProgramOptions, 'command' | 'args' | 'env' | 'cwd' | 'uid' | 'gid' | 'isReady'> | null
  readonly stopSignal: NodeJS.Signals
}

/** Ready at the first line with these words. */
export function atLine(words: string): (line: string) => boolean {
  return (line) => line.includes(words)
}

/** One that is named by its URL. */
export function foundService(name: ServiceProgram['name'], url: string): Promise<ServiceProgram> {
  return Promise.resolve({ name, url, program: null, stopSignal: 'SIGTERM' })
}
