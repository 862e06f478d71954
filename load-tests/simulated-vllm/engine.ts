/** The batch: admits what arrives, lets what is admitted generate on one clock, and queues the rest. */
import { EngineCounters, type EngineMetrics, type FinishedReason } from './engine-metrics.ts';
import type { SimulatedVllmOptions } from './options.ts';
import type { RequestLog, RequestState } from './request-log.ts';
import type { Sequence } from './sequence.ts';

/** Milliseconds between two looks at what is due: one timer serves all streams. */
const TICK_MS = 2;
/** Looks at silent streams per keep-alive interval. */
const KEEP_ALIVE_CHECKS = 8;

const FINISHED: Record<Exclude<RequestState, 'waiting' | 'running' | 'rejected'>, FinishedReason> = {
  stop: 'stop',
  length: 'length',
  aborted: 'abort',
  fault: 'error',
};

interface Watcher {
  readonly condition: () => boolean;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

export class Engine {
  readonly #options: SimulatedVllmOptions;
  readonly #log: RequestLog;
  readonly #counters = new EngineCounters();
  readonly #running = new Set<Sequence>();
  /** In the order of arrival; bounded by `maxNumQueuedReqs`. */
  readonly #waiting = new Set<Sequence>();
  #watchers: Watcher[] = [];
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #keepAliveCheckAt = 0;
  #closed = false;

  constructor(options: SimulatedVllmOptions, log: RequestLog) {
    this.#options = options;
    this.#log = log;
  }

  get metrics(): EngineMetrics {
    return this.#counters;
  }

  /** Whether one more request would be too many; counts it as rejected if so. */
  rejects(): boolean {
    if (this.#running.size + this.#waiting.size < this.#options.maxNumQueuedReqs) return false;
    this.#counters.rejected += 1;
    return true;
  }

  submit(sequence: Sequence): void {
    this.#waiting.add(sequence);
    this.#admit();
    this.#schedule();
    this.#notify();
  }

  /** For `Sequence` when it is over. */
  readonly release = (sequence: Sequence, state: RequestState): void => {
    const wasRunning = this.#running.delete(sequence);
    this.#waiting.delete(sequence);
    this.#log.close(sequence.record, state);
    const counters = this.#counters;
    counters.generationTokens += sequence.record.tokensSent;
    counters.finished[FINISHED[state as keyof typeof FINISHED]] += 1;
    const now = performance.now();
    counters.observeEndToEnd((now - sequence.arrivedAt) / 1000);
    if (sequence.firstTokenAt > 0) counters.observeFirstToken((sequence.firstTokenAt - sequence.arrivedAt) / 1000);
    counters.setQueue(this.#running.size, this.#waiting.size);
    if (wasRunning && !this.#closed) this.#admit();
    this.#notify();
  };

  #admit(): void {
    const now = performance.now();
    for (const sequence of this.#waiting) {
      if (this.#running.size >= this.#options.maxNumSeqs) break;
      this.#waiting.delete(sequence);
      this.#running.add(sequence);
      sequence.admit(now);
      this.#counters.promptTokens += sequence.request.promptIds.length;
      this.#counters.observeQueueTime((now - sequence.arrivedAt) / 1000);
    }
    this.#counters.setQueue(this.#running.size, this.#waiting.size);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#immediate !== undefined || this.#closed) return;
    if (this.#running.size + this.#waiting.size === 0) return;
    this.#timer = setTimeout(this.#tick, TICK_MS);
  }

  readonly #tick = (): void => {
    this.#timer = undefined;
    this.#immediate = undefined;
    const now = performance.now();
    let more = false;
    for (const sequence of this.#running) {
      if (sequence.nextAt > now) continue;
      sequence.advance(now);
      if (sequence.nextAt <= now) more = true;
    }
    if (this.#options.keepAliveMs > 0 && now >= this.#keepAliveCheckAt) {
      this.#keepAliveCheckAt = now + this.#options.keepAliveMs / KEEP_ALIVE_CHECKS;
      for (const sequence of this.#running) sequence.keepAlive(now, this.#options.keepAliveMs);
      for (const sequence of this.#waiting) sequence.keepAlive(now, this.#options.keepAliveMs);
    }
    this.#notify();
    if (more && !this.#closed) this.#immediate = setImmediate(this.#tick);
    else this.#schedule();
  };

  /** Resolves when the condition holds; it is looked at whenever requests or tokens have moved. Rejects at `close`. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(new Error('the simulated engine is closed'));
      else this.#watchers.push({ condition, resolve, reject });
    });
  }

  #notify(): void {
    if (this.#watchers.length === 0) return;
    this.#watchers = this.#watchers.filter(({ condition, resolve }) => {
      if (!condition()) return true;
      resolve();
      return false;
    });
  }

  renderMetrics(): string {
    let tokens = 0;
    for (const sequence of this.#running) tokens += sequence.tokens;
    return this.#counters.render(this.#options.model, tokens / (this.#options.maxNumSeqs * this.#options.maxModelLen));
  }

  /** Aborts everything and stops the clock. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    for (const sequence of [...this.#running, ...this.#waiting]) sequence.abort();
    for (const { reject } of this.#watchers.splice(0)) reject(new Error('the simulated engine was closed'));
  }
}
