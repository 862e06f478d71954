/** What the engine counts, and `/metrics` in the words of vLLM. */

/** Upper bounds of vLLM's buckets, in seconds. */
const FIRST_TOKEN_BUCKETS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const REQUEST_BUCKETS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];

function pythonFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(seconds: number): void {
    const bucket = this.#bounds.findIndex((bound) => seconds <= bound);
    if (bucket !== -1) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += seconds;
    this.#count += 1;
  }

  lines(name: string, model: string): string[] {
    let cumulative = 0;
    const buckets = this.#bounds.map((bound, index) => {
      cumulative += this.#counts[index] ?? 0;
      return `${name}_bucket{engine="0",le="${pythonFloat(bound)}",model_name="${model}"} ${pythonFloat(cumulative)}`;
    });
    return [
      ...buckets,
      `${name}_bucket{engine="0",le="+Inf",model_name="${model}"} ${pythonFloat(this.#count)}`,
      `${name}_count{engine="0",model_name="${model}"} ${pythonFloat(this.#count)}`,
      `${name}_sum{engine="0",model_name="${model}"} ${pythonFloat(this.#sum)}`,
    ];
  }
}

export type FinishedReason = 'stop' | 'length' | 'abort' | 'error';

/** Counters since the start; gauges of this moment. */
export interface EngineMetrics {
  readonly running: number;
  readonly waiting: number;
  readonly peakRunning: number;
  readonly peakWaiting: number;
  readonly promptTokens: number;
  readonly generationTokens: number;
  readonly finished: Readonly<Record<FinishedReason, number>>;
  readonly rejected: number;
}

export class EngineCounters implements EngineMetrics {
  running = 0;
  waiting = 0;
  peakRunning = 0;
  peakWaiting = 0;
  promptTokens = 0;
  generationTokens = 0;
  rejected = 0;
  readonly finished: Record<FinishedReason, number> = { stop: 0, length: 0, abort: 0, error: 0 };
  readonly #firstToken = new Histogram(FIRST_TOKEN_BUCKETS);
  readonly #queueTime = new Histogram(REQUEST_BUCKETS);
  readonly #endToEnd = new Histogram(REQUEST_BUCKETS);

  observeFirstToken(seconds: number): void {
    this.#firstToken.observe(seconds);
  }

  observeQueueTime(seconds: number): void {
    this.#queueTime.observe(seconds);
  }

  observeEndToEnd(seconds: number): void {
    this.#endToEnd.observe(seconds);
  }

  setQueue(running: number, waiting: number): void {
    this.running = running;
    this.waiting = waiting;
    this.peakRunning = Math.max(this.peakRunning, running);
    this.peakWaiting = Math.max(this.peakWaiting, waiting);
  }

  /** `kvCacheUsage`: 0 to 1. */
  render(model: string, kvCacheUsage: number): string {
    const lines: string[] = [];
    const family = (name: string, type: 'gauge' | 'counter' | 'histogram', help: string): void =>
      void lines.push(`# HELP vllm:${name} ${help}`, `# TYPE vllm:${name} ${type}`);
    const sample = (name: string, value: number, extra = ''): void =>
      void lines.push(`vllm:${name}{engine="0",model_name="${model}"${extra}} ${pythonFloat(value)}`);
    const histogram = (name: string, help: string, values: Histogram): void => {
      family(name, 'histogram', help);
      lines.push(...values.lines(`vllm:${name}`, model));
    };

    family('num_requests_running', 'gauge', 'Number of requests in model execution batches.');
    sample('num_requests_running', this.running);
    family('num_requests_waiting', 'gauge', 'Number of requests waiting to be processed.');
    sample('num_requests_waiting', this.waiting);
    family('kv_cache_usage_perc', 'gauge', 'KV-cache usage. 1 means 100 percent usage.');
    sample('kv_cache_usage_perc', kvCacheUsage);
    family('prefix_cache_queries_total', 'counter', 'Prefix cache queries, in terms of number of queried tokens.');
    sample('prefix_cache_queries_total', this.promptTokens);
    family('prefix_cache_hits_total', 'counter', 'Prefix cache hits, in terms of number of cached tokens.');
    sample('prefix_cache_hits_total', 0);
    family('num_preemptions_total', 'counter', 'Cumulative number of preemption from the engine.');
    sample('num_preemptions_total', 0);
    family('prompt_tokens_total', 'counter', 'Number of prefill tokens processed.');
    sample('prompt_tokens_total', this.promptTokens);
    family('generation_tokens_total', 'counter', 'Number of generation tokens processed.');
    sample('generation_tokens_total', this.generationTokens);
    family('request_success_total', 'counter', 'Count of successfully processed requests.');
    for (const [reason, count] of Object.entries({ ...this.finished, repetition: 0 })) {
      lines.push(`vllm:request_success_total{engine="0",finished_reason="${reason}",model_name="${model}"} ${pythonFloat(count)}`);
    }
    family('admission_rejections_total', 'counter', 'Number of admission attempts rejected by a queue limit, by reason.');
    lines.push(
      `vllm:admission_rejections_total{model_name="${model}",reason="max_num_queued_reqs"} ${pythonFloat(this.rejected)}`,
      `vllm:admission_rejections_total{model_name="${model}",reason="max_num_queued_tokens"} 0.0`,
    );
    histogram('time_to_first_token_seconds', 'Histogram of time to first token in seconds.', this.#firstToken);
    histogram('e2e_request_latency_seconds', 'Histogram of e2e request latency in seconds.', this.#endToEnd);
    histogram('request_queue_time_seconds', 'Histogram of time spent in WAITING phase for request.', this.#queueTime);
    return `${lines.join('\n')}\n`;
  }
}
