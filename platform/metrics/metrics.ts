/** Prometheus metrics of one process. Each part declares its own, once; labels never name users or conversations. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface MetricDefinition<Label extends string = string> {
  /** Begins with `chatterbot_`; counters end in `_total`, units are in the name (`_seconds`, `_bytes`). */
  readonly name: `chatterbot_${string}`
  readonly help: string
  readonly labels?: readonly Label[]
}

export interface Metrics {
  counter<Label extends string>(definition: MetricDefinition<Label>): Counter<Label>
  /** `collect` is called at each scrape. */
  gauge<Label extends string>(definition: MetricDefinition<Label>, collect?: (gauge: Gauge<Label>) => void): Gauge<Label>
  histogram<Label extends string>(definition: MetricDefinition<Label> & { readonly buckets: readonly number[] }): Histogram<Label>
  readonly contentType: string
  /** The text exposition. */
  expose(): Promise<string>
}

/** With those of the process and of its event loop. */
export function createMetrics(labels: { readonly role: string; readonly node: string }): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels(labels)
  collectDefaultMetrics({ register: registry })
  const common = <Label extends string>(definition: MetricDefinition<Label>) => ({
    name: definition.name,
    help: definition.help,
    labelNames: [...(definition.labels ?? [])],
    registers: [registry],
  })
  return {
    counter: (definition) => new Counter(common(definition)),
    gauge: (definition, collect) =>
      new Gauge({
        ...common(definition),
        ...(collect === undefined
          ? {}
          : {
              collect() {
                collect(this)
              },
            }),
      }),
    histogram: (definition) => new Histogram({ ...common(definition), buckets: [...definition.buckets] }),
    contentType: registry.contentType,
    expose: () => registry.metrics(),
  }
}
