/** docs/errors.md, from the catalogue. */
import { errorCatalogue, type ErrorDefinition } from '../errors.ts'

export function errorsPage(): string {
  const rows = Object.entries(errorCatalogue as Record<string, ErrorDefinition>).map(
    ([code, { message, status, retryable, closeCode }]) => `| \`${code}\` | ${message} | ${status} | ${retryable ? 'yes' : 'no'} | ${closeCode ?? ''} |`,
  )
  return `<!-- Generated from protocol/errors.ts by protocol/docs/generate.ts. Do not edit. -->

# Errors

Every error that ChatterBot tells has one of these codes, over WebSocket and HTTP alike. A code never changes its meaning, and new ones may be added: treat a code that you do not know by its \`retryable\`.

\`\`\`json
{"type":"error","ref":7,"code":"overloaded","message":"The server is overloaded.","retryable":true,"retry_after_ms":2000}
\`\`\`

*retry*: the same request may succeed later, unchanged; wait for \`retry_after_ms\` where it is given, else with exponential backoff. *closes*: the close code, where the error ends the WebSocket; it is sent as a frame before. \`invalid_field\` and the errors of texts carry \`pointer\`, a JSON pointer to the first field at fault. The message is for people, and may say more than here.

| code | meaning | HTTP status | retry | closes |
|---|---|---|---|---|
${rows.join('\n')}
`
}
