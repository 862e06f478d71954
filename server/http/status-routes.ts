/** What operators and load balancers ask: /health and /ready. */
import { healthOf, readinessOf, type ReadinessPart } from '../../platform/status/status.ts'
import { json, type HttpAnswer } from './answer.ts'

export function healthAnswer(node: string): HttpAnswer {
  return json(200, healthOf(node))
}

/** 200 once a chat would work, else 503 with what is missing. */
export function readyAnswer(parts: readonly ReadinessPart[]): HttpAnswer {
  const readiness = readinessOf(parts)
  return readiness.ready ? json(200, readiness) : json(503, readiness, { 'Retry-After': '1' })
}
