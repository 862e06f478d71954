/** Content codings we make, the smallest first. */
export const codings = ['br', 'gzip'] as const
export type Coding = (typeof codings)[number]

/** The first of `available` that an Accept-Encoding header (RFC 9110, 12.5.3) allows; null: as it is. */
export function chooseCoding(header: string, available: ReadonlySet<Coding>): Coding | null {
  const allowed = new Map<string, boolean>()
  for (const item of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim())
    const weight = parameters.find((parameter) => parameter.startsWith('q='))
    allowed.set(name, weight === undefined || Number(weight.slice(2)) > 0)
  }
  return codings.find((coding) => available.has(coding) && (allowed.get(coding) ?? allowed.get('*') ?? false)) ?? null
}
