import t from 'tap'
import type { Page } from 'playwright-core'
import { ChatError } from '../../protocol/errors.ts'
import { setStage } from './web-page.ts'

t.setTimeout(300_000)
const stage = await setStage(t)
const { chat } = stage

const field = (page: Page) => page.getByRole('textbox', { name: 'Message' })
const replies = (page: Page) => page.getByRole('article', { name: 'ChatterBot replied' })
/** Text of the conversation, and not what screen readers are told of it. */
const seen = (page: Page, text: string | RegExp, options?: { exact: boolean }) => page.locator('.messages').getByText(text, options)
const messages = (page: Page) => page.getByRole('article')
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }

async function say(page: Page, text: string): Promise<void> {
  await field(page).fill(text)
  await field(page).press('Enter')
}

/** Resolves once the condition holds in the page. */
async function until(page: Page, condition: () => boolean): Promise<void> {
  await page.waitForFunction(condition)
}

t.test('the first message makes a conversation, and its reply appears as it comes', async (t) => {
  const page = await stage.read(t, { user: 'first' })
  await page.getByRole('heading', { name: 'What is on your mind?' }).waitFor()
  t.equal(new URL(page.url()).hash, '')
  await say(page, 'What is light?')
  const turn = await chat.nextTurn()
  t.equal(turn.question, 'What is light?')
  await seen(page, 'Waiting for the model').waitFor({ state: 'attached' })
  t.match(new URL(page.url()).hash, /^#\/c\/\d+$/)
  turn.say('Light is **a wave')
  await seen(page, 'Light is a wave').waitFor()
  t.equal(await replies(page).getAttribute('aria-busy'), 'true')
  turn.say('** and a particle.')
  turn.end()
  await page.getByRole('button', { name: 'Regenerate reply' }).waitFor()
  t.equal(await replies(page).locator('strong').innerText(), 'a wave')
  t.equal(await page.title(), 'What is light? · ChatterBot')
  t.equal(await page.getByRole('link', { name: 'What is light?' }).getAttribute('aria-current'), 'page')
  t.equal(await field(page).inputValue(), '')
  t.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Message', 'the field keeps the focus')

  await page.reload()
  await seen(page, 'Light is a wave and a particle.').waitFor()
  t.equal(await messages(page).count(), 2, 'a reload finds it again')
})

t.test('Markdown becomes elements, never scripts, and code can be copied', async (t) => {
  const page = await stage.read(t)
  await say(page, 'Show me everything')
  const turn = await chat.nextTurn()
  await turn.stream('# Title\n\n1. one\n2. two\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n<img src=x onerror="document.title=`broken`"> <script>document.title="broken"</script>[bad](javascript:alert(1)) [good](https://example.org/x)\n\n')
  await turn.stream('```python\ndef double(x):\n    return 2 * x  # twice\n```\n')
  turn.end()
  await page.locator('.code-keyword').first().waitFor()
  const reply = replies(page)
  t.equal(await reply.getByRole('heading', { level: 2, name: 'Title' }).count(), 1, 'headings of replies stand below that of the page')
  t.equal(await reply.getByRole('listitem').count(), 2)
  t.equal(await reply.getByRole('table').locator('td').nth(1).evaluate((cell) => getComputedStyle(cell).textAlign), 'right')
  t.equal(await reply.locator('script, img, iframe, [onerror]').count(), 0)
  t.equal(await reply.getByRole('link', { name: 'bad' }).count(), 0)
  t.match(await reply.getByRole('link', { name: 'good' }).getAttribute('rel'), /noopener/)
  t.not(await page.title(), 'broken')
  t.equal(await reply.locator('.code-block figcaption').innerText(), 'Python')
  t.equal(await reply.locator('pre').innerText(), 'def double(x):\n    return 2 * x  # twice\n')
  t.equal(await reply.locator('.code-comment').innerText(), '# twice')
  await reply.getByRole('button', { name: 'Copy code' }).click()
  await reply.getByRole('button', { name: 'Copied' }).waitFor()
  t.equal(await page.evaluate(() => navigator.clipboard.readText()), 'def double(x):\n    return 2 * x  # twice')
})

t.test('a delta touches nothing but the reply that it belongs to', async (t) => {
  const page = await stage.read(t)
  await say(page, 'One')
  const first = await chat.nextTurn()
  first.say('A first reply')
  first.end()
  await page.getByRole('button', { name: 'Regenerate reply' }).waitFor()
  await say(page, 'Two')
  const second = await chat.nextTurn()
  second.say('Begins')
  await seen(page, 'Begins').waitFor()
  await page.evaluate(() => {
    const changed: string[] = []
    Object.assign(window, { changed })
    const observer = new MutationObserver((records) => changed.push(...records.map(({ target }) => target.textContent ?? '')))
    const watched = [...document.querySelectorAll('[role=article]')].slice(0, -1)
    for (const element of [...watched, document.querySelector('nav'), document.querySelector('header'), document.querySelector('form')]) {
      if (element !== null) observer.observe(element, { subtree: true, childList: true, characterData: true, attributes: true })
    }
  })
  await second.stream(' and goes on for a while, word by word by word.')
  await seen(page, 'word by word by word.').waitFor()
  t.same(await page.evaluate(() => (window as unknown as { changed: string[] }).changed), [])
  second.end()
})

t.test('Escape stops a reply, which keeps its text and says so', async (t) => {
  const page = await stage.read(t)
  await say(page, 'Tell me a long story')
  const turn = await chat.nextTurn()
  turn.say('Once upon a time')
  await seen(page, 'Once upon a time').waitFor()
  await page.getByRole('button', { name: 'Stop' }).waitFor()
  await field(page).press('Escape')
  await seen(page, 'Stopped', { exact: true }).waitFor()
  t.match(await replies(page).innerText(), 'Once upon a time')
  await page.getByRole('button', { name: 'Stop' }).waitFor({ state: 'detached' })
})

t.test('another reply and another wording are branches that one can turn to', async (t) => {
  const page = await stage.read(t)
  await say(page, 'A name for a cat?')
  const first = await chat.nextTurn()
  first.say('Whiskers')
  first.end()
  await page.getByRole('button', { name: 'Regenerate reply' }).click()
  const second = await chat.nextTurn()
  second.say('Mittens')
  second.end()
  await seen(page, 'Mittens').waitFor()
  t.equal(await seen(page, 'Whiskers').count(), 0)
  await page.getByRole('button', { name: 'Previous version' }).click()
  await seen(page, 'Whiskers').waitFor()
  t.equal(await page.getByRole('group', { name: 'Version 1 of 2 of this reply' }).count(), 1)

  await say(page, 'Why that?')
  const third = await chat.nextTurn()
  third.say('It has whiskers.')
  third.end()
  await seen(page, 'It has whiskers.').waitFor()
  t.equal(await seen(page, 'Whiskers', { exact: true }).count(), 1, 'what is said on a branch goes on from it')

  await seen(page, 'A name for a cat?').hover()
  await page.getByRole('button', { name: 'Edit message' }).first().click()
  const edit = page.getByRole('textbox', { name: 'Edit message' })
  await edit.fill('A name for a dog?')
  await edit.press('Enter')
  const fourth = await chat.nextTurn()
  t.equal(fourth.question, 'A name for a dog?')
  fourth.say('Rex')
  fourth.end()
  await seen(page, 'Rex').waitFor()
  t.equal(await messages(page).count(), 2, 'the new wording begins a branch of its own')
  await page.getByRole('button', { name: 'Previous version' }).click()
  await seen(page, 'It has whiskers.').waitFor()
  await page.reload()
  await seen(page, 'Rex').waitFor()
})

t.test('messages said meanwhile wait, and a refusal says why and can be tried again', async (t) => {
  const page = await stage.read(t)
  await say(page, 'One')
  const first = await chat.nextTurn()
  first.queue(3, 14_000)
  await seen(page, '3 replies ahead of yours, about 15 seconds').waitFor()
  first.say('Reply to one')
  await say(page, 'Two')
  await seen(page, 'Answered after the reply before it').waitFor()
  await say(page, 'Never mind')
  await page.getByRole('button', { name: 'Cancel' }).last().click()
  await seen(page, 'Stopped', { exact: true }).waitFor()
  chat.refuseNext = new ChatError('busy')
  await say(page, 'Three')
  await seen(page, 'Four messages are waiting already.').waitFor()
  first.end()
  const second = await chat.nextTurn()
  second.say('Reply to two')
  second.end()
  await seen(page, 'Reply to two').waitFor()
  await page.getByRole('button', { name: 'Send again' }).click()
  const third = await chat.nextTurn()
  t.equal(third.question, 'Three')
  third.fail({ code: 'engine_unavailable', message: 'No inference engine could complete the reply.', retryable: true })
  await seen(page, 'The model could not be reached.').waitFor()
  await page.getByRole('button', { name: 'Try again' }).click()
  const again = await chat.nextTurn()
  again.say('Reply to three')
  again.end()
  await seen(page, 'Reply to three').waitFor()
  t.equal(await page.getByRole('alert').count(), 0)
})

t.test('a message beyond a limit says how long it waits, and goes out by itself', async (t) => {
  const page = await stage.read(t)
  await say(page, 'One')
  const first = await chat.nextTurn()
  first.say('Reply to one')
  first.end()
  await seen(page, 'Reply to one').waitFor()
  chat.refuseNext = new ChatError('rate_limited', undefined, { retryAfterMs: 2_000 })
  await say(page, 'Two')
  await seen(page, /That was a lot at once: sent in about (2 seconds|a second)/).waitFor()
  const second = await chat.nextTurn()
  t.equal(second.question, 'Two')
  second.say('Reply to two')
  second.end()
  await seen(page, 'Reply to two').waitFor()
  t.equal(await seen(page, /That was a lot/).count(), 0)
})

t.test('a server that goes and comes back loses nothing, and the page is not loaded anew', async (t) => {
  const page = await stage.read(t, { tolerate: /WebSocket/ })
  await page.evaluate(() => Object.assign(window, { sameDocument: true }))
  await say(page, 'Count')
  const turn = await chat.nextTurn()
  turn.say('one, two')
  await seen(page, 'one, two').waitFor()
  await stage.stopEdge()
  await page.getByText('Reconnecting…').waitFor()
  turn.say(', three')
  await say(page, 'Said without a connection')
  await seen(page, 'Sent as soon as there is a connection').waitFor()
  await stage.startEdge()
  await seen(page, 'one, two, three').waitFor()
  turn.say(', four.')
  turn.end()
  await seen(page, 'one, two, three, four.').waitFor()
  const next = await chat.nextTurn()
  t.equal(next.question, 'Said without a connection')
  next.end()
  await page.getByText('Reconnecting…').waitFor({ state: 'detached' })
  t.equal(await page.evaluate(() => 'sameDocument' in window), true)
  t.equal(await seen(page, 'Said without a connection').count(), 1)
})

t.test('the view follows a reply at its end, and stays where somebody reads', async (t) => {
  const page = await stage.read(t)
  await say(page, 'Go on')
  const turn = await chat.nextTurn()
  const atBottom = () => {
    const viewport = document.querySelector('.viewport')
    return viewport !== null && viewport.scrollHeight > viewport.clientHeight * 1.5 && viewport.scrollTop + viewport.clientHeight >= viewport.scrollHeight - 2
  }
  await turn.stream('A line of text.\n\n'.repeat(60), 1)
  await until(page, atBottom)
  await page.mouse.move(700, 300)
  await page.mouse.wheel(0, -600)
  await page.getByRole('button', { name: 'Scroll to the newest message' }).waitFor()
  const place = await page.evaluate(() => document.querySelector('.viewport')?.scrollTop)
  await turn.stream('Another line.\n\n'.repeat(10), 1)
  turn.say('The end.')
  await seen(page, 'The end.').waitFor({ state: 'attached' })
  t.equal(await page.evaluate(() => document.querySelector('.viewport')?.scrollTop), place, 'it does not pull away what is being read')
  await page.getByRole('button', { name: 'Scroll to the newest message' }).click()
  await until(page, atBottom)
  turn.end()
})

t.test('older messages come when somebody scrolls up, and what is read stays in its place', async (t) => {
  const texts = Array.from({ length: 120 }, (_, at) => `Message number ${at}\n\nwith a second line`)
  const id = chat.store('historian', 'A long one', texts)
  const page = await stage.read(t, { user: 'historian', hash: `#/c/${id}` })
  await seen(page, 'Message number 119').waitFor()
  t.equal(await seen(page, 'Message number 40', { exact: false }).count(), 0)
  const first = seen(page, 'Message number 80')
  await page.evaluate(() => document.querySelector('.viewport')?.scrollTo({ top: 0 }))
  await seen(page, 'Message number 0\n').waitFor({ state: 'attached' })
  t.equal(await seen(page, 'Load earlier messages').count(), 0)
  const box = await first.boundingBox()
  t.ok(box !== null && box.y > -900 && box.y < 900, `what was first is still near: ${box?.y}`)
  t.equal(await messages(page).count(), 120)
})

t.test('a text beyond 32 KiB is counted, and not sent', async (t) => {
  const page = await stage.read(t)
  await field(page).fill('é'.repeat(16_000))
  await page.getByText('768 bytes left').waitFor()
  await field(page).fill('é'.repeat(16_400))
  await page.getByText('32 bytes too long').waitFor()
  t.equal(await page.getByRole('button', { name: 'Send' }).isDisabled(), true)
  await field(page).press('Enter')
  t.equal(await messages(page).count(), 0)
  t.equal((await field(page).inputValue()).length, 16_400, 'it is kept')
})

t.test('each conversation keeps what was begun in it, and the address turns to it', async (t) => {
  const one = chat.store('writer', 'First topic', ['Hello', 'Hi'], '2026-01-01T10:00:00.000Z')
  const two = chat.store('writer', 'Second topic', ['Good day', 'Good day to you'], '2026-01-02T10:00:00.000Z')
  const page = await stage.read(t, { user: 'writer', hash: `#/c/${one}` })
  await seen(page, 'Hello').waitFor()
  t.same(await page.getByRole('navigation').getByRole('link').allInnerTexts(), ['Second topic', 'First topic'], 'the most recent first')
  await field(page).fill('A draft')
  await page.getByRole('link', { name: 'Second topic' }).click()
  await seen(page, 'Good day to you').waitFor()
  t.equal(await field(page).inputValue(), '')
  await page.goBack()
  await seen(page, 'Hello').waitFor()
  t.equal(await field(page).inputValue(), 'A draft')
  await page.getByRole('button', { name: 'New chat' }).click()
  await page.getByRole('heading', { name: 'What is on your mind?' }).waitFor()
  t.equal(await field(page).inputValue(), '')
  await page.goto(`http://127.0.0.1:${stage.port}/#/c/${two}`)
  await seen(page, 'Good day to you').waitFor()
  await page.goto(`http://127.0.0.1:${stage.port}/#/c/77`)
  await page.getByRole('heading', { name: 'There is no such conversation' }).waitFor()
  t.equal(await field(page).isDisabled(), true)
})

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

t.test('a model that is being loaded is told of, until it is there', async (t) => {
  let missing: string | null = 'The model is being loaded: 40 %.'
  await stage.stopEdge()
  await stage.startEdge({ readiness: [{ name: 'engine', missing: () => missing }] })
  const page = await stage.read(t, { tolerate: /503/ })
  await page.getByText('The model is being loaded: 40 %.').waitFor()
  missing = null
  await page.getByText('The model is being loaded').waitFor({ state: 'detached' })
})

t.test('no page complained: no errors, no breach of the content security policy, no request to another server', async (t) => {
  t.same(stage.complaints, [])
})
