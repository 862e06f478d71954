import { readFile } from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { repositoryPath } from '../../protocol/docs/repository.ts'
import { StartupFault } from '../lifecycle/startup-fault.ts'
import { configurationPage } from './configuration-page.ts'
import { readConfig, type Environment } from './config.ts'
import { parseOption, type OptionDefinition } from './option.ts'
import { options } from './options.ts'

const home = path.resolve('/home/ann')

function faultOf(environment: Environment): StartupFault {
  try {
    readConfig(environment)
  } catch (error) {
    if (error instanceof StartupFault) return error
    throw error
  }
  throw new Error('no fault')
}

t.test('without any setting everything has its default', (t) => {
  const config = readConfig({ HOME: home }, { platform: 'linux' })
  t.match(config, { PORT: 8001, HOST: '127.0.0.1', LOG_LEVEL: 'info', DATABASE_URL: [], NATS_URL: [], REDIS_URL: null, CHATTERBOT_MAX_TOKENS: 1024, CHATTERBOT_ENGINE_API_KEY: null, CHATTERBOT_SOCKETS_PER_USER: 20 })
  t.ok(Object.isFrozen(config) && Object.isFrozen(config.DATABASE_URL))
  t.end()
})

t.test('settings are read by their kind, and blank ones count as none', (t) => {
  const config = readConfig({
    PORT: ' 0 ',
    HOST: '',
    LOG_LEVEL: 'debug',
    DATABASE_URL: 'postgres://a/x, postgresql://b/y',
    CHATTERBOT_ENGINE_URL: 'http://a:8000,https://b',
    CHATTERBOT_SYSTEM_PROMPT: 'Be brief.',
    CHATTERBOT_MODEL_PATH: 'models/a.gguf',
    CHATTERBOT_MAX_TOKENS: '  ',
    UNRELATED: 'ignored',
  })
  t.match(config, {
    PORT: 0,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'debug',
    DATABASE_URL: ['postgres://a/x', 'postgresql://b/y'],
    CHATTERBOT_ENGINE_URL: ['http://a:8000', 'https://b'],
    CHATTERBOT_SYSTEM_PROMPT: 'Be brief.',
    CHATTERBOT_MODEL_PATH: path.resolve('models/a.gguf'),
    CHATTERBOT_MAX_TOKENS: 1024,
  })
  t.notOk('UNRELATED' in config)
  t.end()
})

t.test('every fault is listed at once, with exit code 78', (t) => {
  const fault = faultOf({
    PORT: '80.5',
    LOG_LEVEL: 'loud',
    NATS_URL: 'http://a',
    REDIS_URL: 'no url',
    CHATTERBOT_NODE_ID: 'a b',
    CHATTERBOT_FRAMES_PER_SECOND: '0',
    CHATTERBOT_MAX_TOKEN: '5',
    CHATTERBOT_COLOUR: 'red',
  })
  t.equal(fault.exitCode, 78)
  t.strictSame(fault.message.split('\n'), [
    'The configuration has 8 faults:',
    '  - PORT: "80.5" is not a whole number.',
    '  - LOG_LEVEL: "loud" is none of trace, debug, info, warn, error, fatal, silent.',
    '  - NATS_URL: a URL begins with http:// instead of nats:// or tls://.',
    '  - REDIS_URL: a URL is not well-formed.',
    '  - CHATTERBOT_NODE_ID: "a b" does not match ^[A-Za-z0-9_-]{1,64}$.',
    '  - CHATTERBOT_FRAMES_PER_SECOND: "0" is not from 1 to 100000.',
    '  - CHATTERBOT_COLOUR: there is no such option.',
    '  - CHATTERBOT_MAX_TOKEN: there is no such option; did you mean CHATTERBOT_MAX_TOKENS.',
  ])
  t.match(faultOf({ PORT: '-1' }).message, 'The configuration has a fault:\n')
  for (const port of ['0x10', '1e3', '65536', 'NaN', '9'.repeat(30)]) t.match(faultOf({ PORT: port }).message, /PORT: /)
  t.end()
})

t.test('processes that share a bus must be told apart', (t) => {
  t.match(faultOf({ NATS_URL: 'nats://a:4222' }).message, /CHATTERBOT_NODE_ID/)
  t.match(readConfig({ NATS_URL: 'nats://a:4222', CHATTERBOT_NODE_ID: 'edge-1' }), { NATS_URL: ['nats://a:4222'] })
  t.end()
})

t.test('what a process cannot do without is asked for together with everything else', (t) => {
  const required = ['NATS_URL', 'DATABASE_URL'] as const
  t.throws(() => readConfig({ PORT: 'x', DATABASE_URL: ' ' }, { required }), { exitCode: 78, message: /3 faults:\n.*- PORT: [^]*- NATS_URL: [^]*- DATABASE_URL: / })
  t.match(readConfig({ NATS_URL: 'nats://a', CHATTERBOT_NODE_ID: 'a', DATABASE_URL: 'postgres://a/b' }, { required }), { DATABASE_URL: ['postgres://a/b'] })
  t.end()
})

t.test('no fault repeats a secret, whatever it is', (t) => {
  const secrets = Object.entries(options as Record<string, OptionDefinition>).filter(([, { secret }]) => secret === true)
  t.strictSame(secrets.map(([name]) => name), ['DATABASE_URL', 'NATS_URL', 'REDIS_URL', 'CHATTERBOT_ENGINE_API_KEY', 'OTEL_EXPORTER_OTLP_HEADERS', 'CHATTERBOT_JWT_SECRET'])
  fc.assert(
    fc.property(fc.constantFrom(...secrets), fc.stringMatching(/^[A-Za-z0-9]{12,30}$/), fc.constantFrom('', 'x://u:', 'nats//u:', 'http://u:'), ([, definition], secret, prefix) => {
      const parsed = parseOption(definition, `${prefix}${secret}@host`)
      t.ok(parsed.ok || !parsed.fault.includes(secret))
    }),
  )
  t.end()
})

t.test('any value of any option gives a value of its kind or a fault, and never throws', (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(options as Record<string, OptionDefinition>)), fc.oneof(fc.string(), fc.webUrl(), fc.integer().map(String)), (definition, raw) => {
      const parsed = parseOption(definition, raw)
      if (!parsed.ok) return t.ok(parsed.fault.length > 0)
      if (definition.type === 'integer') return t.ok(parsed.value === definition.default || (Number.isSafeInteger(parsed.value) && (parsed.value as number) >= definition.min && (parsed.value as number) <= definition.max))
      return t.ok(parsed.value === null || ['string', 'boolean', 'object'].includes(typeof parsed.value))
    }),
  )
  t.end()
})

t.test('data and cache go where each system keeps them', { skip: process.platform === 'win32' ? 'paths of POSIX' : false }, (t) => {
  const folders = (environment: Environment, platform: NodeJS.Platform) => {
    const { CHATTERBOT_DATA_DIR, CHATTERBOT_CACHE_DIR } = readConfig({ HOME: home, ...environment }, { platform })
    return [CHATTERBOT_DATA_DIR, CHATTERBOT_CACHE_DIR]
  }
  t.strictSame(folders({}, 'linux'), ['/home/ann/.local/share/chatterbot', '/home/ann/.cache/chatterbot'])
  t.strictSame(folders({ XDG_DATA_HOME: '/data', XDG_CACHE_HOME: 'relative' }, 'linux'), ['/data/chatterbot', '/home/ann/.cache/chatterbot'])
  t.strictSame(folders({}, 'darwin'), ['/home/ann/Library/Application Support/chatterbot', '/home/ann/Library/Caches/chatterbot'])
  t.strictSame(folders({ LOCALAPPDATA: '/local' }, 'win32'), ['/local/chatterbot/data', '/local/chatterbot/cache'])
  t.strictSame(folders({ CHATTERBOT_DATA_DIR: '/own', XDG_DATA_HOME: '/data' }, 'linux')[0], '/own')
  t.end()
})

t.test('docs/configuration.md is what the declaration says today, and names every option', async (t) => {
  const page = configurationPage()
  t.ok((await readFile(repositoryPath('docs/configuration.md'), 'utf8')) === page, 'docs/configuration.md is out of date: `npm run docs`')
  for (const name of Object.keys(options)) t.match(page, `| \`${name}\` | `)
  t.notMatch(page, /undefined|\[object/)
})
