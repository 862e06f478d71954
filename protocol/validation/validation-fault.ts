import type { TLocalizedValidationError } from 'typebox/error'

/** JSON pointer to the first field at fault. A missing field is pointed at itself, not at the object that lacks it. */
export function firstFault(errors: readonly TLocalizedValidationError[]): string {
  const first = errors[0]
  if (first === undefined) return ''
  if (first.keyword !== 'required') return first.instancePath
  const missing = first.params.requiredProperties[0] ?? ''
  return `${first.instancePath}/${missing.replaceAll('~', '~0').replaceAll('/', '~1')}`
}
