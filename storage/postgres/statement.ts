/** One SQL statement; prepared under its name, once a connection. A name never stands for two texts. */
export interface Statement {
  readonly name: string
  readonly text: string
}
