/** docs/configuration.md, made from the declaration of the options. */
import type { OptionDefinition } from './option.ts'
import { options } from './options.ts'

export function configurationPage(): string {
  const rows = Object.entries(options).map(([name, definition]) => `| \`${name}\` | ${kind(definition)} | ${defaultOf(definition)} | ${definition.help} |`)
  return `<!-- Generated from platform/config/options.ts by platform/config/generate.ts. Do not edit. -->

# Configuration

All configuration comes from the environment:

\`\`\`sh
PORT=9000 CHATTERBOT_ENGINE_URL=http://127.0.0.1:11434 npm start
\`\`\`

It is read once, at start. A process that finds faults prints all of them and exits with code 78, which tells a supervisor
that a restart mends nothing. A name that begins with \`CHATTERBOT_\` and is not in this list is a fault too, as it is most
often a slip of the pen. An empty value counts as none. Values marked *secret* are never printed or logged.

| name | type | default | what it does |
|---|---|---|---|
${rows.join('\n')}
`
}

function kind(definition: OptionDefinition): string {
  const secret = definition.secret === true ? ', *secret*' : ''
  switch (definition.type) {
    case 'integer':
      return `${definition.min} to ${definition.max}${secret}`
    case 'string':
      return `${definition.choices ? definition.choices.join(', ') : 'text'}${secret}`
    case 'url':
      return `URL${secret}`
    case 'urls':
      return `URLs${secret}`
    case 'networks':
      return `IP networks${secret}`
    case 'boolean':
    case 'path':
      return `${definition.type}${secret}`
  }
}

function defaultOf(definition: OptionDefinition): string {
  if (definition.type === 'path' && definition.defaultText !== undefined) return definition.defaultText
  const value = definition.type === 'urls' || definition.type === 'networks' ? null : definition.default
  return value === null ? '' : `\`${value}\``
}
