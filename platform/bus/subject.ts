/** Throws RangeError where this is no literal subject: a wildcard or a space that came in with a name would reach others. */
export function assertLiteralSubject(subject: string): void {
  if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(subject)) throw new RangeError(`not a literal subject: ${JSON.stringify(subject.slice(0, 100))}`)
}
