import { chromium, type Browser } from 'playwright-core'
import { findChromium } from './programs.ts'
import type { TestContext } from './processes.ts'

/** A headless browser with a profile of its own; closed at the test's end. */
export async function launchChromium(t?: TestContext): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error('No Chromium on this machine: `npm test` installs it or says how')
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    // Root has no sandbox, nor has anyone in most containers, and the only pages here are our own.
    chromiumSandbox: false,
    // Playwright itself turns off background networking, updates, synchronization and the first-run pages.
    args: ['--disable-gpu', '--disable-quic']
  })
  t?.teardown(() => browser.close())
  return browser
}
