/** This program made no sense of a group: running it again would not help. */
export class GroupFault extends Error {
  override readonly name = 'GroupFault'
}

/** Rejects as a GroupFault what `compute` throws. */
export function withoutFault<T>(compute: () => T): T {
  try {
    return compute()
  } catch (error) {
    throw new GroupFault('a group of writes could not be planned', { cause: error })
  }
}
