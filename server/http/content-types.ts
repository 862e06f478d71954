/** By file name extension: the type, and whether the files are worth compressing. */
interface ContentType {
  readonly type: string
  readonly compressible: boolean
}

const text = (type: string): ContentType => ({ type: `${type}; charset=utf-8`, compressible: true })
const binary = (type: string, compressible = false): ContentType => ({ type, compressible })

const contentTypes: ReadonlyMap<string, ContentType> = new Map([
  ['.html', text('text/html')],
  ['.js', text('text/javascript')],
  ['.css', text('text/css')],
  ['.json', text('application/json')],
  ['.map', text('application/json')],
  ['.webmanifest', text('application/manifest+json')],
  ['.svg', text('image/svg+xml')],
  ['.txt', text('text/plain')],
  ['.wasm', binary('application/wasm', true)],
  ['.ico', binary('image/x-icon', true)],
  ['.ttf', binary('font/ttf', true)],
  ['.png', binary('image/png')],
  ['.jpg', binary('image/jpeg')],
  ['.webp', binary('image/webp')],
  ['.woff2', binary('font/woff2')],
])

/** `extension` with its dot, in lower case. */
export function contentTypeOf(extension: string): ContentType {
  return contentTypes.get(extension) ?? binary('application/octet-stream')
}
