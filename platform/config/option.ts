/** Kinds of config options: how each is written, read and refused. */
import { isIP } from 'node:net'
import path from 'node:path'

interface Common {
  readonly help: string
  /** Never printed. */
  readonly secret?: boolean
}

export type OptionDefinition =
  | (Common & { readonly type: 'string'; readonly default: string | null; readonly choices?: readonly string[]; readonly pattern?: RegExp })
  | (Common & { readonly type: 'integer'; readonly default: number | null; readonly min: number; readonly max: number })
  | (Common & { readonly type: 'boolean'; readonly default: boolean })
  | (Common & { readonly type: 'url'; readonly default: string | null; readonly protocols: readonly string[] })
  | (Common & { readonly type: 'urls'; readonly protocols: readonly string[] })
  /** IP networks, as 10.0.0.0/8 or ::1, with commas between. */
  | (Common & { readonly type: 'networks' })
  | (Common & { readonly type: 'path'; readonly default: string | null; readonly defaultText?: string })

export type OptionValue<D extends OptionDefinition> = D['type'] extends 'integer'
  ? D extends { default: number } ? number : number | null
  : D['type'] extends 'boolean'
    ? boolean
    : D['type'] extends 'urls' | 'networks'
      ? readonly string[]
      : D extends { default: string } ? string : string | null

export type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly fault: string }

const longestShown = 100

/** `raw` undefined or blank: the default. A fault never repeats a secret. */
export function parseOption(definition: OptionDefinition, raw: string | undefined): Parsed {
  if (raw === undefined || raw.trim() === '') return { ok: true, value: definition.type === 'urls' || definition.type === 'networks' ? Object.freeze([]) : definition.default }
  const text = raw.trim()
  const given = definition.secret === true ? 'the value' : JSON.stringify(text.length > longestShown ? `${text.slice(0, longestShown)}…` : text)
  switch (definition.type) {
    case 'string':
      if (definition.choices && !definition.choices.includes(text)) return fault(`${given} is none of ${definition.choices.join(', ')}`)
      if (definition.pattern && !definition.pattern.test(text)) return fault(`${given} does not match ${definition.pattern.source}`)
      return { ok: true, value: text }
    case 'integer': {
      const value = Number(text)
      if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) return fault(`${given} is not a whole number`)
      if (value < definition.min || value > definition.max) return fault(`${given} is not from ${definition.min} to ${definition.max}`)
      return { ok: true, value }
    }
    case 'boolean':
      if (/^(1|true|yes|on)$/i.test(text)) return { ok: true, value: true }
      if (/^(0|false|no|off)$/i.test(text)) return { ok: true, value: false }
      return fault(`${given} is neither true nor false`)
    case 'url':
      return parseUrl(text, definition.protocols)
    case 'urls': {
      const parsed = text.split(',').map((each) => parseUrl(each.trim(), definition.protocols))
      const bad = parsed.find((each) => !each.ok)
      return bad ?? { ok: true, value: Object.freeze(parsed.map((each) => (each.ok ? each.value : ''))) }
    }
    case 'networks': {
      const networks = text.split(',').map((each) => each.trim())
      const bad = networks.find((each) => !isNetwork(each))
      return bad === undefined ? { ok: true, value: Object.freeze(networks) } : fault(`${JSON.stringify(bad)} is no IP network, as 10.0.0.0/8`)
    }
    case 'path':
      return { ok: true, value: path.resolve(text) }
  }
}

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  const bits = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1
  return more.length === 0 && bits > 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
}

/** URLs may hold credentials, so a fault does not repeat them. */
function parseUrl(text: string, protocols: readonly string[]): Parsed {
  if (!URL.canParse(text)) return fault('a URL is not well-formed')
  const { protocol } = new URL(text)
  return protocols.includes(protocol) ? { ok: true, value: text } : fault(`a URL begins with ${protocol}// instead of ${protocols.map((each) => `${each}//`).join(' or ')}`)
}

function fault(text: string): Parsed {
  return { ok: false, fault: text }
}
