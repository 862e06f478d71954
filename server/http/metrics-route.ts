/** `/metrics` on the port of clients: for whoever may see what operators watch. The status port asks nobody. */
import { ChatError } from '../../protocol/errors.ts'
import type { Metrics } from '../../platform/metrics/metrics.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import { missingPermission } from '../auth/authorization.ts'
import { challenge, problemOf } from './answer.ts'
import type { HttpHandler } from './router.ts'

export function metricsRoute(metrics: Metrics, authenticator: Authenticator): HttpHandler {
  return async (request) => {
    try {
      const missing = authenticator.isRequired ? missingPermission(await authenticator.authenticate(request.credentials()), 'operations:read') : null
      if (missing !== null) return problemOf(missing)
    } catch (error) {
      if (error instanceof ChatError) return problemOf(error, challenge(error))
      throw error
    }
    return { status: 200, headers: { 'Content-Type': metrics.contentType, 'Cache-Control': 'no-store' }, body: await metrics.expose() }
  }
}
