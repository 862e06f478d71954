import { readFile } from 'node:fs/promises'
import t from 'tap'
import { Compile } from 'typebox/compile'
import { errorCatalogue } from '../errors.ts'
import { commands, ErrorReply, events, type CommandType, type EventType } from '../websocket/messages.ts'
import { asyncapiDocument } from './asyncapi.ts'
import { exampleSession } from './example-session.ts'
import { generatedPages } from './pages.ts'
import { repositoryPath } from './repository.ts'

t.test('the pages in docs/ are what the schemas say today', async (t) => {
  for (const [path, content] of Object.entries(generatedPages())) {
    t.ok((await readFile(repositoryPath(path), 'utf8')) === content, `${path} is out of date: build, then run \`node dist/protocol/docs/generate.js\``)
  }
})

t.test('every message and every error is described', async (t) => {
  const pages = generatedPages()
  for (const type of [...Object.keys(commands), ...Object.keys(events), 'error']) t.match(pages['docs/protocol.md'], `### ${type}\n`)
  for (const code of Object.keys(errorCatalogue)) t.match(pages['docs/errors.md'], `| \`${code}\` |`)
  for (const [path, page] of Object.entries(pages)) t.notMatch(page, /\bundefined\b|\[object Object|\| anything/, path)
})

t.test('every link within the protocol page leads somewhere', async (t) => {
  const page = generatedPages()['docs/protocol.md'] ?? ''
  const anchors = new Set([...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) => (title ?? '').toLowerCase().replaceAll(/[^a-z0-9 -]/g, '').replaceAll(' ', '-')))
  const links = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor ?? '')
  t.ok(links.length > 10)
  for (const link of links) t.ok(anchors.has(link), link)
})

t.test('the example session is made of valid messages, and its text adds up', async (t) => {
  const replies = new Map((Object.keys(commands) as CommandType[]).map((type) => [commands[type].reply.properties.type.const as string, commands[type].reply]))
  let text = ''
  for (const step of exampleSession) {
    if ('say' in step) continue
    const { type } = step.frame
    const schema = step.from === 'client' ? commands[type as CommandType].command : (events[type as EventType] ?? replies.get(type) ?? ErrorReply)
    t.strictSame(Compile(schema).Errors(step.frame), [], type)
    const pieces = step.frame.type === 'turn.delta' ? [step.frame] : step.frame.type === 'conversation.opened' ? step.frame.turns : []
    for (const piece of pieces) {
      t.equal(piece.offset, text.length)
      text += piece.text
      t.equal(piece.end, text.length)
    }
    if (step.frame.type === 'turn.finished') t.equal(step.frame.end, text.length)
  }
  t.equal(text, 'Light is a wave and a particle.')
})

t.test('every reference of the AsyncAPI document leads somewhere', async (t) => {
  const document = asyncapiDocument() as Record<string, unknown>
  const references: string[] = []
  JSON.stringify(document, (key, value: unknown) => {
    if (key === '$ref') references.push(value as string)
    return value
  })
  t.ok(references.length > 50)
  for (const reference of new Set(references)) {
    const target = reference.slice(2).split('/').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document)
    t.type(target, 'object', reference)
  }
})
