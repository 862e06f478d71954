/**
 * Prometheus metrics of one process. Each part declares its own in one place, when it is built:
 *
 *     const frames = metrics.counter({ name: 'chatterbot_frames_total', help: 'Frames, by direction.', labels: ['direction'] })
 *     frames.inc({ direction: 'in' })
 *
 * A label's values are a short list known ahead: every value is a time series that is kept for good.
 */
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

/** Things there is no end of, and that are nobody else's business. */
const endless = /^(user|conversation|message|turn|session)(_id)?$|^(address|ip|token)$/

/**
 * How often the event loop is looked at; `nodejs_eventloop_lag_*` are the times between two looks, this one included. The
 * library's own 10 ms wake an idle process a hundred times a second, which is half of what that takes.
 */
const eventLoopLookEveryMs = 200

/** With those of the process and of its event loop. All bear `labels`. */
export function createMetrics(labels: { readonly role: string; readonly node: string }): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels(labels)
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: eventLoopLookEveryMs })
  const common = <Label extends string>({ name, help, labels: own = [] }: MetricDefinition<Label>) => {
    const bad = own.find((label) => endless.test(label))
    if (bad !== undefined) throw new RangeError(`${name} must not have a label ${bad}: its values have no end`)
    return { name, help, labelNames: [...own], registers: [registry] }
  }
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
