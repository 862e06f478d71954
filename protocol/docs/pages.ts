import { asyncapiDocument } from './asyncapi.ts'
import { errorsPage } from './errors-page.ts'
import { openapiDocument } from './openapi.ts'
import { protocolPage } from './protocol-page.ts'

/** Every generated file by its path in the repository. */
export function generatedPages(): Record<string, string> {
  return {
    'docs/protocol.md': protocolPage(),
    'docs/errors.md': errorsPage(),
    'docs/asyncapi.json': `${JSON.stringify(asyncapiDocument(), null, 2)}\n`,
    'docs/openapi.json': `${JSON.stringify(openapiDocument(), null, 2)}\n`,
  }
}
