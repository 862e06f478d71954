/** Traces for a collector, by OpenTelemetry over OTLP/HTTP: in batches, and dropped where it does not take them. */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Context, type Span as OtelSpan, type Tracer as OtelTracer } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base'
import type { Service } from '../../lifecycle/service.ts'
import type { Span, SpanAttributes, Tracer } from '../tracer.ts'

/** Spans that wait to be sent; those beyond are dropped. */
const mostWaiting = 4096
const sendEveryMs = 2_000
const sendWithinMs = 5_000

export interface OtlpOptions {
  /** Base of the collector, without `/v1/traces`. */
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly serviceName: string
  readonly role: string
  readonly node: string
  /** Of the traces that begin here; others go on as they began. From 0 to 1. */
  readonly ratio: number
}

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL }

export class OtlpTracer implements Tracer, Service {
  readonly name = 'tracing'
  readonly #provider: BasicTracerProvider
  readonly #tracer: OtelTracer

  constructor({ endpoint, headers, serviceName, role, node, ratio }: OtlpOptions) {
    const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces`, headers: { ...headers }, timeoutMillis: sendWithinMs })
    this.#provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ 'service.name': serviceName, 'service.namespace': 'chatterbot', 'service.instance.id': node, 'chatterbot.role': role }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: mostWaiting, scheduledDelayMillis: sendEveryMs, exportTimeoutMillis: sendWithinMs })],
    })
    this.#tracer = this.#provider.getTracer('chatterbot')
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  span(name: string, parent: string | null, kind: 'server' | 'client' | 'internal', attributes: SpanAttributes = {}): Span {
    return new OtlpSpan(this.#tracer.startSpan(name, { kind: kinds[kind], attributes }, contextOf(parent)))
  }

  /** What waits is sent, as far as the collector takes it. */
  async stop(): Promise<void> {
    await this.#provider.shutdown().catch(() => undefined)
  }
}

class OtlpSpan implements Span {
  readonly #span: OtelSpan

  constructor(span: OtelSpan) {
    this.#span = span
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext()
    return `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED) === 0 ? '00' : '01'}`
  }

  event(name: string): void {
    this.#span.addEvent(name)
  }

  end(attributes?: SpanAttributes, fault?: string): void {
    if (attributes !== undefined) this.#span.setAttributes(attributes)
    if (fault !== undefined) this.#span.setAttribute('error.type', fault).setStatus({ code: SpanStatusCode.ERROR })
    this.#span.end()
  }
}

/** `parent` is well-formed, version 00. */
function contextOf(parent: string | null): Context {
  const [, traceId, spanId, flags] = parent?.split('-') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true })
}
