/** A span for each turn that was accepted here, until it is no longer under way here. */
import { noTracer, type Span, type Tracer } from '../../platform/tracing/tracer.ts'

export class TurnTraces {
  readonly #tracer: Tracer
  /** As many as there are unfinished turns; none where nothing is traced. */
  readonly #spans = new Map<string, Span>()

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  /** What goes with the turn's job: `traceparent`. */
  begin(turnId: string, parent: string | null): string | null {
    if (this.#tracer === noTracer) return parent
    const span = this.#tracer.span('turn', parent, 'internal', { 'chatterbot.turn_id': turnId })
    this.#spans.set(turnId, span)
    return span.traceparent
  }

  /** A bridge has begun with it. */
  granted(turnId: string): void {
    this.#spans.get(turnId)?.event('granted')
  }

  /** Ended, gone to another process, or never accepted: then `fault` says why. */
  end(turnId: string, fault?: string): void {
    this.#spans.get(turnId)?.end({}, fault)
    this.#spans.delete(turnId)
  }
}
