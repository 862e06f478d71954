/** What a reader of the page does and sees. */
import type { Page } from 'playwright-core'

export const field = (page: Page) => page.getByRole('textbox', { name: 'Message' })
export const replies = (page: Page) => page.getByRole('article', { name: 'ChatterBot replied' })
/** Text of the conversation, and not what screen readers are told of it. */
export const seen = (page: Page, text: string | RegExp, options?: { exact: boolean }) => page.locator('.messages').getByText(text, options)
export const messages = (page: Page) => page.getByRole('article')
export const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }

export async function say(page: Page, text: string): Promise<void> {
  await field(page).fill(text)
  await field(page).press('Enter')
}

/** Resolves once the condition holds in the page. */
export async function until(page: Page, condition: () => boolean): Promise<void> {
  await page.waitForFunction(condition)
}
