/** The documentation as a reader has it: the built pages, served with their security headers, in a browser. */
import path from 'node:path'
import t from 'tap'
import { startTestEdge } from '../../server/testing/test-edge.ts'
import { launchChromium } from '../harness/chromium.ts'
import { repositoryRoot } from '../harness/repository.ts'

const pageFolder = path.join(repositoryRoot(), 'dist', 'page')

t.test('the documentation can be read wide and narrow, and is allowed all that it needs', async (t) => {
  const { edge } = await startTestEdge(t, { pageFolder })
  const url = `http://127.0.0.1:${edge.port}`
  const browser = await launchChromium(t)
  for (const width of [320, 700, 1440]) {
    const page = await browser.newPage({ viewport: { width, height: 800 } })
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(String(error.stack)))
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    for (const address of ['/docs', '/docs/errors#busy']) {
      await page.goto(`${url}${address}`)
      await page.getByRole('button', { name: 'Copy' }).first().waitFor()
      t.equal(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true, `${address} is as wide as the window of ${width}`)
    }
    t.match(await page.locator('#busy').innerText(), /busy/)
    await page.goto(`${url}/docs`)
    t.match(await page.locator('.example pre').first().innerText(), `curl ${url}/chat`, 'the examples name this server')
    await page.keyboard.press('Tab')
    t.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the content')
    t.same(complaints, [])
    await page.close()
  }
})

t.test('programs read the OpenAPI document, and once only', async (t) => {
  const { edge } = await startTestEdge(t, { pageFolder })
  const url = `http://127.0.0.1:${edge.port}/openapi.json`
  const first = await fetch(url)
  t.equal(first.headers.get('content-type'), 'application/json; charset=utf-8')
  t.match(await first.json(), { openapi: '3.1.1' })
  t.equal((await fetch(url, { headers: { 'If-None-Match': first.headers.get('etag') ?? '' } })).status, 304)
})
