/** Bodies and frames are text here; k6's types say that they may be more. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
