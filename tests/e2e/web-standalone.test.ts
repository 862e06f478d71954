import t from 'tap'
import { verifyTranscript } from '../../load-tests/simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { launchChromium } from '../harness/chromium.ts'
import { freePort } from '../harness/ports.ts'
import { dataFolder, startStandalone } from './standalone-process.ts'

t.setTimeout(120_000)

t.test('a reader goes on chatting through a server that is killed in the middle of a reply', async (t) => {
  const engine = await startSimulatedVllm({ tokensPerSecond: 40 })
  t.teardown(() => engine.close())
  const env = { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: engine.url, PORT: String(await freePort()) }
  const first = await startStandalone(t, env)
  const browser = await launchChromium(t)
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error.stack)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('WebSocket')) complaints.push(message.text())
  })
  const field = page.getByRole('textbox', { name: 'Message' })
  const replies = page.getByRole('article', { name: 'ChatterBot replied' })
  /** Waits for the last of so many replies to end, and answers its text. */
  const ended = async (count: number): Promise<string> => {
    const reply = replies.nth(count - 1)
    await reply.locator('.action-bar').waitFor({ timeout: 60_000, state: 'attached' })
    return reply.locator('.markdown').innerText()
  }

  await page.goto(first.ready.url)
  await field.fill('Hello? [[tokens=30]]')
  await field.press('Enter')
  t.match(verifyTranscript(await ended(1), 'Hello? [[tokens=30]]', { tokens: 30 }), { ok: true })

  await page.getByRole('button', { name: 'Regenerate reply' }).click()
  await page.getByRole('group', { name: 'Version 2 of 2 of this reply' }).waitFor()

  await field.fill('A long one [[tokens=200]]')
  await field.press('Enter')
  await replies.nth(1).getByText('20 ').waitFor()
  await page.evaluate(() => Object.assign(window, { sameDocument: true }))
  await first.kill()
  await page.getByText('Reconnecting…').waitFor()
  await startStandalone(t, env)
  t.match(verifyTranscript(await ended(2), 'A long one [[tokens=200]]', { tokens: 200 }), { ok: true }, 'the reply is whole: nothing is missing, doubled or out of order')
  t.equal(await page.evaluate(() => 'sameDocument' in window), true, 'the page was not loaded anew')

  await page.getByRole('button', { name: 'Edit message' }).last().click()
  const edit = page.getByRole('textbox', { name: 'Edit message' })
  await edit.fill('A very long one [[tokens=2000]]')
  await edit.press('Enter')
  await page.getByRole('button', { name: 'Stop' }).waitFor()
  await replies.nth(1).getByText('10 ').waitFor()
  await field.press('Escape')
  await replies.nth(1).getByText('Stopped', { exact: true }).waitFor()
  await engine.until(() => engine.metrics.running === 0)

  const shown = await page.locator('.messages').innerText()
  await page.reload()
  await replies.nth(1).getByText('Stopped', { exact: true }).waitFor()
  t.equal(await page.locator('.messages').innerText(), shown, 'a reload shows the same')
  t.same(complaints, [])
})
