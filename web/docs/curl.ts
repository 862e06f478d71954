/** A request as one types it. */
import type { Operation } from '../../protocol/rest/operation.ts'

/** The page puts the address that it was loaded from in its place. */
export const exampleOrigin = 'http://127.0.0.1:8001'

export function curlExample(operation: Operation): string {
  const { method, path, permission, query, example = {}, body } = operation
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(example.params?.[name]))
  const search = new URLSearchParams(Object.entries(query === undefined ? {} : (example.query ?? {})).map(([name, value]) => [name, String(value)])).toString()
  const streams = Object.values(operation.responses).some(({ contentType = '' }) => contentType === 'text/event-stream')
  const url = `${exampleOrigin}${filled}${search === '' ? '' : `?${search}`}`
  return [
    `curl ${[...(streams ? ['-N'] : []), ...(method === 'get' || (method === 'post' && body !== undefined) ? [] : ['-X', method.toUpperCase()]), /[?&]/.test(url) ? `'${url}'` : url].join(' ')}`,
    ...(permission === 'public' ? [] : ['-H "Authorization: Bearer $CHATTERBOT_KEY"']),
    ...Object.entries(example.headers ?? {}).map(([name, value]) => `-H ${quoted(`${headerName(name)}: ${String(value)}`)}`),
    ...(body === undefined ? [] : ["-H 'Content-Type: application/json'", `-d ${quoted(bodyText(example.body))}`]),
  ].join(' \\\n  ')
}

/** As people write it: `X-User-Id`. */
export function headerName(name: string): string {
  return name.split('-').map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join('-')
}

/** On a line where one can read it so. */
function bodyText(body: unknown): string {
  const line = JSON.stringify(body)
  return line.length <= 60 ? line : JSON.stringify(body, null, 2)
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
