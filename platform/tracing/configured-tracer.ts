/** The tracer that the configuration asks for. What it stands on is loaded only then. */
import type { Config } from '../config/config.ts'
import type { ServiceGroup } from '../lifecycle/service-group.ts'
import { StartupFault } from '../lifecycle/startup-fault.ts'
import { noTracer, type Tracer } from './tracer.ts'

/** Rejects with StartupFault. */
export async function configuredTracer(config: Config, role: 'edge' | 'bridge' | 'standalone', parts: ServiceGroup): Promise<Tracer> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === null) return noTracer
  const headers = headersOf(config.OTEL_EXPORTER_OTLP_HEADERS ?? '')
  const { OtlpTracer } = await import('./otlp/otlp-tracer.ts')
  return parts.add(new OtlpTracer({ endpoint, headers, serviceName: config.OTEL_SERVICE_NAME, role, node: config.CHATTERBOT_NODE_ID, ratio: Number(config.OTEL_TRACES_SAMPLER_ARG) }))
}

/** `name=value,name=value`, percent-encoded, as OpenTelemetry's specification has it. */
function headersOf(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '')
  try {
    return Object.fromEntries(
      pairs.map((pair) => {
        const at = pair.indexOf('=')
        if (at < 1) throw new URIError('no value')
        return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]
      }),
    )
  } catch (cause) {
    throw new StartupFault('OTEL_EXPORTER_OTLP_HEADERS is not a list of name=value.', 'Write name=value, percent-encoded, with commas between.', { cause })
  }
}
