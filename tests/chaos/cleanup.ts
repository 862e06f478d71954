import type { TestContext } from '../harness/processes.ts'

/** Stands in for a test: what is to be undone at the end. */
export class Cleanup implements TestContext {
  readonly #handlers: (() => unknown)[] = []

  teardown(handler: () => unknown): void {
    this.#handlers.push(handler)
  }

  /** Newest first; resolves when all is undone, however much of it fails. */
  async run(): Promise<void> {
    for (let handler = this.#handlers.pop(); handler !== undefined; handler = this.#handlers.pop()) {
      try {
        await handler()
      } catch (error) {
        process.stderr.write(`while cleaning up: ${String(error)}\n`)
      }
    }
  }
}
