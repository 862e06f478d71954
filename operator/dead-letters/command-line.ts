/** What the command line of `npm run dead-letters` says. */
import { isTurnId } from '../../protocol/ids.ts'
import { parseCommandLine, UsageFault } from '../command-line.ts'

export const usage = `Dead letters: jobs of turns that were given up.

  npm run dead-letters -- list [--after POSITION] [--limit N]   the oldest first, 50 at a time
  npm run dead-letters -- show TURN_ID
  npm run dead-letters -- retry TURN_ID      ask for another reply, as a new turn; then discard the letter
  npm run dead-letters -- discard TURN_ID

  --json   JSON, a line a letter

NATS_URL says where the cluster's NATS is.
Exit codes: 0 done, 1 refused or not found, 64 not understood, 69 nobody answers, 78 configuration.
`

export type Command =
  | { readonly type: 'help' }
  | { readonly type: 'list'; readonly json: boolean; readonly after: number; readonly limit: number }
  | { readonly type: 'show' | 'retry' | 'discard'; readonly json: boolean; readonly turnId: string }

const options = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }, after: { type: 'string' }, limit: { type: 'string' } } as const
const mostListed = 1_000

/** Throws UsageFault. */
export function readCommand(args: readonly string[]): Command {
  const { values, positionals } = parseCommandLine(args, options)
  const [name, ...operands] = positionals
  const json = values.json ?? false
  if (values.help === true || name === 'help') return { type: 'help' }
  switch (name) {
    case undefined:
      throw new UsageFault('No command.')
    case 'list':
      if (operands.length > 0) throw new UsageFault('list takes no turn id.')
      return { type: 'list', json, after: wholeNumber('--after', values.after ?? '0', 0, Number.MAX_SAFE_INTEGER), limit: wholeNumber('--limit', values.limit ?? '50', 1, mostListed) }
    case 'show':
    case 'retry':
    case 'discard': {
      const [id] = operands
      if (values.after !== undefined || values.limit !== undefined) throw new UsageFault('--after and --limit are for list.')
      if (id === undefined || operands.length > 1) throw new UsageFault(`${name} takes one turn id.`)
      if (!isTurnId(id)) throw new UsageFault(`${JSON.stringify(id.slice(0, 100))} is no turn id.`)
      return { type: name, json, turnId: id }
    }
    default:
      throw new UsageFault(`There is no command ${JSON.stringify(name.slice(0, 100))}.`)
  }
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) throw new UsageFault(`${name} takes a whole number from ${min} to ${max}.`)
  return value
}
