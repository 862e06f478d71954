/** Why the edge of a conversation's owner did not do what it was asked; it may have happened all the same. */
export type OwnerAwayHow =
  /** It says that it is not the owner, or not any more. */
  | 'moved'
  /** Nobody is there by its name, or the bus is away. */
  | 'absent'
  /** It is there, and does not answer in time. */
  | 'silent'

const messages: Readonly<Record<OwnerAwayHow, string>> = {
  moved: 'the conversation has another owner',
  absent: 'the owner cannot be reached',
  silent: 'the owner does not answer',
}

export class OwnerAway extends Error {
  override readonly name = 'OwnerAway'
  readonly how: OwnerAwayHow

  constructor(how: OwnerAwayHow, options?: ErrorOptions) {
    super(messages[how], options)
    this.how = how
  }
}
