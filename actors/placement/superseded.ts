/**
 * A later process of the same name owns the conversation: this one was paused or cut off, and replaced. What is asked of
 * that name is the later one's to answer, and so is left alone here.
 */
export class Superseded extends Error {
  override readonly name = 'Superseded'

  constructor(node: string) {
    super(`a later process named ${node} has taken this one's place`)
  }
}
