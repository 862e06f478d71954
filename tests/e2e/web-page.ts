/** A reader's browser before the real edge, with conversations that a test scripts. */
import path from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { startTestEdge, type TestEdge } from '../../server/testing/test-edge.ts'
import { testLimits } from '../../server/testing/test-limits.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import type { EdgeOptions } from '../../server/edge.ts'
import { launchChromium } from '../harness/chromium.ts'
import { freePort } from '../harness/ports.ts'
import { repositoryRoot } from '../harness/repository.ts'
import { ScriptedChat } from './scripted-chat.ts'

interface TestContext {
  teardown(handler: () => unknown): unknown
}

export interface Stage {
  readonly chat: ScriptedChat
  readonly port: number
  /** What pages complained about: errors, refused resources, breaches of the content security policy, requests to other servers. */
  readonly complaints: readonly string[]
  /** Opens the page in a browser profile of its own. */
  read(t: TestContext, options?: ReadOptions): Promise<Page>
  stopEdge(): Promise<void>
  /** On the same port, with the same conversations. */
  startEdge(overrides?: Partial<EdgeOptions>): Promise<void>
}

export interface ReadOptions extends BrowserContextOptions {
  readonly user?: string
  readonly hash?: string
  /** Label of the field that the page is read for; that for messages where absent. */
  readonly field?: string
  /** Complaints that the test provokes. */
  readonly tolerate?: RegExp
  /** Runs in the page before its own scripts. */
  readonly prepare?: () => void
}

let readers = 0

export async function setStage(t: TestContext): Promise<Stage> {
  const chat = new ScriptedChat()
  const pageFolder = path.join(repositoryRoot(), 'dist', 'page')
  const browser = await launchChromium(t)
  const complaints: string[] = []
  // A port that the system chose would be blocked for a minute after a restart.
  const port = await freePort()
  let running: TestEdge | undefined
  const startEdge = async (overrides: Partial<EdgeOptions> = {}): Promise<void> => {
    running = await startTestEdge(t, { pageFolder, limits: testLimits({ plans: testPlans({ sockets: 100 }) }), port, ...overrides, service: chat.service })
  }
  await startEdge()
  return {
    chat,
    port,
    complaints,
    startEdge,
    stopEdge: async () => running?.edge.stop(),
    read: (test, options = {}) => read(test, browser, port, complaints, options),
  }
}

async function read(t: TestContext, browser: Browser, port: number, complaints: string[], options: ReadOptions): Promise<Page> {
  readers += 1
  const { user = `reader-${readers}`, hash = '', field, tolerate, prepare, ...context } = options
  const profile = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'], ...context })
  t.teardown(() => profile.close())
  await profile.addInitScript((name) => {
    try {
      localStorage.setItem('chatterbot.user', name)
    } catch {
      // A test of a browser that keeps nothing.
    }
  }, user)
  if (prepare !== undefined) await profile.addInitScript(prepare)
  const page = await profile.newPage()
  page.setDefaultTimeout(30_000)
  const complain = (text: string): void => {
    if (tolerate?.test(text) !== true) complaints.push(`${user}: ${text}`)
  }
  page.on('pageerror', (error) => complain(String(error.stack)))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complain(message.text())
  })
  page.on('request', (request) => {
    if (new URL(request.url()).port !== String(port)) complain(`asked another server: ${request.url()}`)
  })
  await page.goto(`http://127.0.0.1:${port}/${hash}`)
  await (field === undefined ? page.getByRole('textbox', { name: 'Message' }) : page.getByLabel(field)).waitFor()
  return page
}
