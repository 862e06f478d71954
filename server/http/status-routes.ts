/** What operators and load balancers ask: /health, /ready and /metrics. */
import { json, type HttpAnswer } from './answer.ts'

/** Something a chat needs. */
export interface ReadinessPart {
  readonly name: string
  /** Null: it is ready; else what is missing, in words for people. */
  missing(): string | null
}

/** 200 as long as the process lives: a failing check would have it restarted, which mends nothing outside of it. */
export function healthAnswer(node: string): HttpAnswer {
  return json(200, { status: 'ok', node, uptime_s: Math.round(process.uptime()) })
}

/** 200 once a chat would work, else 503 with what is missing. */
export function readyAnswer(parts: readonly ReadinessPart[]): HttpAnswer {
  const missing = parts.flatMap((part) => {
    const reason = part.missing()
    return reason === null ? [] : [{ part: part.name, reason }]
  })
  return missing.length === 0 ? json(200, { ready: true, missing }) : json(503, { ready: false, missing }, { 'Retry-After': '1' })
}
