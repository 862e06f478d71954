import t from 'tap'
import { setStage } from './web-page.ts'
import { field, messages, phone, say, seen } from './web-reader.ts'

t.setTimeout(300_000)
const stage = await setStage(t)
const { chat } = stage

t.test('everything can be done with a keyboard alone', async (t) => {
  const page = await stage.read(t)
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '')
  const back = async (name: string) => {
    for (let presses = 0; presses < 20 && (await focused()) !== name; presses++) await page.keyboard.press('Shift+Tab')
    t.equal(await focused(), name)
  }
  await back('Skip to the conversation')
  await page.keyboard.press('Enter')
  await page.keyboard.type('first line')
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.type('second line')
  t.equal(await field(page).inputValue(), 'first line\nsecond line')
  await page.keyboard.press('Enter')
  const turn = await chat.nextTurn()
  turn.say('Read.')
  turn.end()
  await page.getByRole('button', { name: 'Regenerate reply' }).waitFor()
  await back('Regenerate reply')
  await back('Edit message')
  t.ok(await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle !== 'none'), 'the focus can be seen')
  await page.keyboard.press('Enter')
  await page.getByRole('textbox', { name: 'Edit message' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('textbox', { name: 'Edit message' }).waitFor({ state: 'detached' })
  t.equal(await focused(), 'Message', 'the focus is not lost')
  await back('Regenerate reply')
  await page.keyboard.press('Enter')
  const again = await chat.nextTurn()
  again.end()
  t.equal(await focused(), 'Message')
  t.equal(await messages(page).count(), 2)
})

t.test('a conversation is renamed and deleted from the list, with a keyboard, and on every page that shows it', async (t) => {
  const id = chat.store('keeper', 'Old name', ['Hello', 'Hi'], '2026-01-01T10:00:00.000Z')
  chat.store('keeper', 'Another', ['Good day', 'Good day to you'], '2026-01-02T10:00:00.000Z')
  const [page, other] = [await stage.read(t, { user: 'keeper', hash: `#/c/${id}` }), await stage.read(t, { user: 'keeper', hash: `#/c/${id}` })]
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '')
  await seen(page, 'Hello').waitFor()
  await seen(other, 'Hello').waitFor()
  const title = page.getByRole('textbox', { name: 'Title' })
  // A dialog that has closed is hidden at once, and leaves the page in a later turn of its loop.
  const closed = () => page.locator('dialog.options').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Options of Old name' }).focus()
  await page.keyboard.press('Enter')
  t.equal(await title.inputValue(), 'Old name')
  await page.keyboard.press('Escape')
  await closed()
  t.equal(await focused(), 'Options of Old name')
  await page.keyboard.press('Enter')
  await title.fill(' New name ')
  await page.keyboard.press('Enter')
  await closed()
  for (const each of [page, other]) {
    await each.getByRole('heading', { level: 1, name: 'New name' }).waitFor()
    t.same(await each.getByRole('navigation').getByRole('link').allInnerTexts(), ['Another', 'New name'], 'it stays where it is')
  }

  await page.getByRole('button', { name: 'Options of New name' }).click()
  await page.getByRole('button', { name: 'Delete…' }).click()
  t.match(await page.getByRole('dialog', { name: 'Delete this conversation?' }).innerText(), '“New name” and all that was said in it')
  t.equal(await focused(), 'Keep it', 'a second Enter deletes nothing')
  await page.keyboard.press('Enter')
  t.equal(await title.inputValue(), 'New name')
  await page.getByRole('button', { name: 'Delete…' }).click()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'What is on your mind?' }).waitFor()
  t.equal(await focused(), 'Message')
  await other.getByRole('heading', { name: 'There is no such conversation' }).waitFor()
  for (const each of [page, other]) t.same(await each.getByRole('navigation').getByRole('link').allInnerTexts(), ['Another'])
})

t.test('on a phone the list is a drawer, nothing is wider than the screen, and everything can be hit', async (t) => {
  const id = chat.store('walker', 'On the way', ['Hi', '```js\nconst answer = "a line of code that is a good deal wider than the screen of any phone";\n```\n\n| one | two | three |\n|--|--|--|\n| some text | more text | and more |'])
  const page = await stage.read(t, { user: 'walker', hash: `#/c/${id}`, ...phone })
  await page.locator('.code-block').waitFor()
  t.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth))
  await page.getByRole('button', { name: 'Open the list of conversations' }).tap()
  const drawer = page.getByRole('dialog', { name: 'Conversations' })
  await drawer.getByRole('link', { name: 'On the way' }).waitFor()
  // While it slides in, its transform makes 44 pixels 43.99998.
  await drawer.evaluate((element) => Promise.all(element.getAnimations({ subtree: true }).map((animation) => animation.finished)))
  const tooSmall = () =>
    [...document.querySelectorAll<HTMLElement>('button, nav a, nav label')]
      .map((element) => ({ name: element.getAttribute('aria-label') ?? element.innerText, box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0 && (box.width < 44 || box.height < 44))
      .map(({ name, box }) => `${name} ${box.width} x ${box.height}`)
  t.same(await page.evaluate(tooSmall), [], 'targets are 44 pixels at least')
  await drawer.getByRole('button', { name: 'Options of On the way' }).tap()
  await page.getByRole('button', { name: 'Delete…' }).waitFor()
  t.same(await page.evaluate(tooSmall), [])
  await page.getByRole('button', { name: 'Cancel' }).tap()
  t.equal(await drawer.isVisible(), true)
  await drawer.getByRole('button', { name: 'New chat' }).tap()
  await page.getByRole('heading', { name: 'What is on your mind?' }).waitFor()
  t.equal(await drawer.isVisible(), false)
  await page.getByRole('button', { name: /Compare options/ }).tap()
  const turn = await chat.nextTurn()
  t.match(turn.question, /TCP and UDP/)
  turn.say('Both.')
  turn.end()
  await seen(page, 'Both.').waitFor()
})

t.test('controls have names, places have roles, and text stands out in both themes', async (t) => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const id = chat.store(`looker-${colorScheme}`, 'Colours', ['Hi', 'Some `code`, a [link](https://example.org/), and\n\n> a quote\n\n```python\n# note\ndef f(x): return "text", 1\n```'])
    const page = await stage.read(t, { user: `looker-${colorScheme}`, hash: `#/c/${id}`, colorScheme })
    await page.locator('.code-keyword').first().waitFor()
    for (const role of ['main', 'navigation'] as const) t.equal(await page.getByRole(role).count(), 1, role)
    t.equal(await page.getByRole('heading', { level: 1 }).count(), 1)
    t.same(
      await page.evaluate(() => [...document.querySelectorAll<HTMLElement>('button, a, input, textarea')].filter((element) => element.ariaHidden !== 'true' && (element.getAttribute('aria-label') ?? element.closest('label')?.innerText ?? element.innerText).trim() === '').map((element) => element.outerHTML)),
      [],
      'everything that can be used has a name',
    )
    t.equal(await page.evaluate(() => new Set([...document.querySelectorAll('[id]')].map(({ id: each }) => each)).size === document.querySelectorAll('[id]').length), true, 'ids are unique')
    t.same(await page.evaluate(lowContrasts), [], `contrasts of the ${colorScheme} theme`)
  }
})

/** Elements whose own text has a contrast below 4.5 with what is behind it (WCAG 1.4.3), as text and ratio. */
function lowContrasts(): string[] {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  if (canvas === null) throw new Error('no canvas')
  const rgb = (colour: string): number[] => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = colour
    canvas.fillRect(0, 0, 1, 1)
    return [...canvas.getImageData(0, 0, 1, 1).data]
  }
  const luminance = ([red = 0, green = 0, blue = 0]: number[]): number => {
    const [r = 0, g = 0, b = 0] = [red, green, blue].map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element: Element | null): number[] => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor)
      if (colour[3] === 255) return colour
    }
    return rgb('white')
  }
  const found: string[] = []
  for (const element of document.querySelectorAll<HTMLElement>('body *')) {
    const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map(({ textContent }) => textContent ?? '').join('').trim()
    if (text === '' || element.closest('noscript, .visually-hidden, :disabled') !== null) continue
    const levels = [luminance(rgb(getComputedStyle(element).color)), luminance(behind(element))].sort((one, other) => other - one)
    const ratio = ((levels[0] ?? 0) + 0.05) / ((levels[1] ?? 0) + 0.05)
    if (ratio < 4.5) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`)
  }
  return found
}

t.test('the theme that was chosen is remembered', async (t) => {
  const page = await stage.read(t, { colorScheme: 'light' })
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  const light = await background()
  await page.getByRole('radio', { name: 'Dark' }).check({ force: true })
  const dark = await background()
  t.not(dark, light)
  await page.reload()
  await field(page).waitFor()
  t.equal(await background(), dark)
})

t.test('replies are told to screen readers once, when they have ended', async (t) => {
  const page = await stage.read(t)
  await say(page, 'Speak')
  const turn = await chat.nextTurn()
  turn.say('One ')
  const told = page.locator('[role=status].visually-hidden')
  await page.waitForFunction(() => document.querySelector('[role=status].visually-hidden')?.textContent === 'ChatterBot is replying')
  await turn.stream('two three')
  t.equal(await told.innerText(), 'ChatterBot is replying')
  turn.end()
  await page.waitForFunction(() => document.querySelector('[role=status].visually-hidden')?.textContent === 'ChatterBot replied: One two three')
  t.equal(await page.locator('[aria-live=assertive], [role=log]').count(), 0)
})

t.test('a browser that keeps nothing can be used all the same', async (t) => {
  const page = await stage.read(t, {
    prepare: () => {
      Object.defineProperty(window, 'localStorage', {
        get: () => {
          throw new DOMException('denied', 'SecurityError')
        },
      })
    },
  })
  await say(page, 'Hello')
  const turn = await chat.nextTurn()
  turn.say('Hello to you')
  turn.end()
  await seen(page, 'Hello to you').waitFor()
})

t.test('no page complained: no errors, no breach of the content security policy, no request to another server', async (t) => {
  t.same(stage.complaints, [])
})
