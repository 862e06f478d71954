/** docs/configuration.md, made from the declaration of the options. */
import type { OptionDefinition } from './option.ts'
import { options } from './options.ts'

export function configurationPage(): string {
  const rows = Object.entries(options).map(([name, definition]) => `| \`${name}\` | ${kind(definition)} | ${defaultOf(definition)} | ${definition.help} |`)
  return `<!-- Made from platform/config/options.ts by \`npm run docs\`. -->
# Configuration

All configuration comes from the environment. It is read and checked at start: a process that finds a fault prints every
fault at once and exits with code 78. An empty value is as good as none. A name that begins with \`CHATTERBOT_\` and is not
in this list is a fault too, as it is most often a slip of the pen.

| name | type | default | what it does |
|---|---|---|---|
${rows.join('\n')}
`
}

function kind(definition: OptionDefinition): string {
  const secret = definition.secret === true ? ', secret' : ''
  switch (definition.type) {
    case 'integer':
      return `${definition.min} to ${definition.max}${secret}`
    case 'string':
      return `${definition.choices ? definition.choices.join(', ') : 'text'}${secret}`
    case 'url':
      return `URL${secret}`
    case 'urls':
      return `URLs${secret}`
    case 'boolean':
    case 'path':
      return `${definition.type}${secret}`
  }
}

function defaultOf(definition: OptionDefinition): string {
  if (definition.type === 'path' && definition.defaultText !== undefined) return definition.defaultText
  const value = definition.type === 'urls' ? null : definition.default
  return value === null ? '' : `\`${value}\``
}
