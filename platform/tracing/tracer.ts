/**
 * Traces: what one request brings about, wherever that happens. Spans hand on their place as W3C `traceparent`: over HTTP,
 * over the bus, and to the engine. A turn is worth a few spans; nothing is traced for each token.
 */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export interface Span {
  /** For what it asks of others; null where there is no trace to go on with. */
  readonly traceparent: string | null
  /** Something happened at this moment. */
  event(name: string): void
  /** Once, and last; `fault`: the error code, where it failed. */
  end(attributes?: SpanAttributes, fault?: string): void
}

export interface Tracer {
  /**
   * `parent`: well-formed `traceparent`, or null where a trace begins. `server`: it answers what comes from outside of this
   * process; `client`: it waits for another.
   */
  span(name: string, parent: string | null, kind: 'server' | 'client' | 'internal', attributes?: SpanAttributes): Span
}

class PassedOn implements Span {
  readonly traceparent: string | null

  constructor(traceparent: string | null) {
    this.traceparent = traceparent
  }

  event(): void {}

  end(): void {}
}

const nothing = new PassedOn(null)

/** Records nothing, and passes on what it is given. */
export const noTracer: Tracer = {
  span: (_name, parent) => (parent === null ? nothing : new PassedOn(parent)),
}
