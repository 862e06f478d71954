import t from 'tap'
import Type from 'typebox'
import { errorCatalogue } from '../../protocol/errors.ts'
import { allOperations } from '../../protocol/docs/operation-groups.ts'
import { problemType } from '../../protocol/rest/problem.ts'
import { curlExample } from './curl.ts'
import { documentation } from './render.ts'

const pages = new Map(Object.entries(documentation).map(([file, render]) => [file.replace('/index.html', ''), render()]))

t.test('every operation and every code has its place, which the types of problems lead to', async (t) => {
  for (const id of Object.keys(allOperations)) t.match(pages.get('/docs'), `id="${id}"`)
  for (const code of Object.keys(errorCatalogue) as (keyof typeof errorCatalogue)[]) {
    const [page = '', anchor] = problemType(code).type.split('#')
    t.match(pages.get(page), `id="${anchor}"`)
  }
})

t.test('every link leads somewhere, and no id is there twice', async (t) => {
  for (const [address, html] of pages) {
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    t.equal(new Set(ids).size, ids.length, address)
    for (const [, link = ''] of html.matchAll(/ href="([^"]+)"/g)) {
      const [page = '', anchor] = link.split('#')
      const target = page === '' ? html : pages.get(page)
      if (target === undefined) t.ok(['/', '/openapi.json'].includes(page), link)
      else if (anchor !== undefined) t.match(target, ` id="${anchor}"`, link)
    }
  }
})

t.test('nothing was forgotten, and nothing needs what the content security policy forbids', async (t) => {
  for (const [address, html] of pages) {
    t.notMatch(html, /\bundefined\b|\[object Object|NaN|`/, address)
    t.notMatch(html, /<script|<style| style="| on\w+="/, address)
  }
})

t.test('an example survives a shell', async (t) => {
  const text = curlExample({ method: 'post', path: '/a/{id}', permission: 'any', summary: '', query: Type.Object({}), body: Type.Object({}), example: { params: { id: 7 }, query: { q: 'x y', n: 1 }, headers: { 'x-user-id': 'ann' }, body: { text: "it's" } }, responses: {}, errors: [] })
  t.equal(text, [
    "curl 'http://127.0.0.1:8001/a/7?q=x+y&n=1'",
    '-H "Authorization: Bearer $CHATTERBOT_KEY"',
    "-H 'X-User-Id: ann'",
    "-H 'Content-Type: application/json'",
    String.raw`-d '{"text":"it'\''s"}'`,
  ].join(' \\\n  '))
})
