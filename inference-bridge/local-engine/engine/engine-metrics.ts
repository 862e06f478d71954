import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Finish } from './generated-token.ts'

export interface EngineLoad {
  readonly running: number
  readonly waiting: number
  /** 0 to 1. */
  readonly cacheUsage: number
}

/** The metrics that vLLM has too, under vLLM's names, labels and buckets. */
export class EngineMetrics {
  readonly #registry = new Registry()
  readonly #promptTokens = this.#counter('vllm:prompt_tokens_total', 'Number of prefill tokens processed.')
  readonly #generationTokens = this.#counter('vllm:generation_tokens_total', 'Number of generation tokens processed.')
  readonly #cacheQueries = this.#counter('vllm:prefix_cache_queries_total', 'Prefix cache queries, in terms of number of queried tokens.')
  readonly #cacheHits = this.#counter('vllm:prefix_cache_hits_total', 'Prefix cache hits, in terms of number of cached tokens.')
  readonly #ended = this.#counter('vllm:request_success_total', 'Count of successfully processed requests.', ['finished_reason'])
  readonly #queueTime = this.#histogram('vllm:request_queue_time_seconds', 'Histogram of time spent in WAITING phase for request.', requestBuckets)
  readonly #firstToken = this.#histogram('vllm:time_to_first_token_seconds', 'Histogram of time to first token in seconds.', firstTokenBuckets)
  readonly #interToken = this.#histogram('vllm:inter_token_latency_seconds', 'Histogram of inter-token latency in seconds.', interTokenBuckets)
  readonly #whole = this.#histogram('vllm:e2e_request_latency_seconds', 'Histogram of e2e request latency in seconds.', requestBuckets)

  constructor(modelName: string) {
    this.#registry.setDefaultLabels({ engine: '0', model_name: modelName })
    for (const finished_reason of ['stop', 'length', 'abort', 'error']) this.#ended.inc({ finished_reason }, 0)
  }

  /** The gauges read `load` when they are scraped. */
  observe(load: () => EngineLoad): void {
    this.#gauge('vllm:num_requests_running', 'Number of requests in model execution batches.', () => load().running)
    this.#gauge('vllm:num_requests_waiting', 'Number of requests waiting to be processed.', () => load().waiting)
    this.#gauge('vllm:kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.', () => load().cacheUsage)
  }

  started(request: { readonly queueMs: number; readonly promptTokens: number; readonly cachedTokens: number }): void {
    this.#queueTime.observe(request.queueMs / 1000)
    this.#promptTokens.inc(request.promptTokens)
    this.#cacheQueries.inc(request.promptTokens)
    this.#cacheHits.inc(request.cachedTokens)
  }

  /** `sinceMs`: since the request came, for its first token, else since the token before. */
  generated(token: 'first' | 'later', sinceMs: number): void {
    this.#generationTokens.inc()
    const histogram = token === 'first' ? this.#firstToken : this.#interToken
    histogram.observe(sinceMs / 1000)
  }

  ended(reason: Finish['reason'] | 'abort' | 'error', totalMs: number): void {
    this.#ended.inc({ finished_reason: reason })
    this.#whole.observe(totalMs / 1000)
  }

  /** In Prometheus's text format. */
  async expose(): Promise<{ readonly contentType: string; readonly body: string }> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() }
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.#registry] })
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read())
      },
    })
  }
}

const firstTokenBuckets = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560]
const interTokenBuckets = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80]
const requestBuckets = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680]
