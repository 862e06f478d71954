/** Log lines for people at a terminal: `12:34:56 warn  replica does not answer  replica=127.0.0.1:8000`. */

const ownFields = new Set(['level', 'time', 'name', 'pid', 'msg', 'err'])

/** `json`: one line as pino writes it. */
export function terminalLine(json: string): string {
  const line = JSON.parse(json) as Readonly<Record<string, unknown>>
  const time = new Date(String(line['time']))
  const fields = Object.entries(line).filter(([name]) => !ownFields.has(name))
  const words = [
    `${time.toTimeString().slice(0, 8)} ${String(line['level']).padEnd(5)} ${typeof line['msg'] === 'string' ? line['msg'] : ''}`,
    ...fields.map(([name, value]) => `${name}=${typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`),
  ]
  return `${[words.join('  '), ...errorLines(line['err'])].join('\n')}\n`
}

function errorLines(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return error === undefined ? [] : [`  ${JSON.stringify(error)}`]
  const { type, message, stack, cause } = error as Readonly<Record<string, unknown>>
  const text = typeof stack === 'string' ? stack : `${String(type)}: ${String(message)}`
  return [...text.split('\n').map((line) => `  ${line}`), ...errorLines(cause)]
}
