import { chromium, type Browser } from 'playwright-core'
import { findChromium } from './programs.ts'
import type { TestContext } from './processes.ts'

/** A headless browser with a profile of its own that speaks to nobody unasked; closed at the test's end. */
export async function launchChromium(t?: TestContext): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error('No Chromium on this machine: `npm test` installs it or says how')
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-gpu',
      '--disable-quic',
      '--disable-sync',
      '--no-first-run'
    ]
  })
  t?.teardown(() => browser.close())
  return browser
}
