import type { Logger } from '../logger.ts'

export interface RecordedLine {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A logger that remembers its lines, those of its children too. */
export function recordedLogger(lines: RecordedLine[] = [], own: Readonly<Record<string, unknown>> = {}): Logger & { readonly lines: readonly RecordedLine[] } {
  const write = (level: string) => (first: string | Readonly<Record<string, unknown>>, second = '') => {
    const [fields, message] = typeof first === 'string' ? [{}, first] : [first, second]
    lines.push({ level, message, fields: { ...own, ...fields } })
  }
  return {
    lines,
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    fatal: write('fatal'),
    child: (fields) => recordedLogger(lines, { ...own, ...fields }),
  }
}
