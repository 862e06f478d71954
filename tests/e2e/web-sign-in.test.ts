import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { allPermissions, nobody, type Authenticator } from '../../server/auth/authenticator.ts'
import { setStage } from './web-page.ts'

t.setTimeout(180_000)
const stage = await setStage(t)
const { chat } = stage

const holding = new Set(['right'])
const authenticator: Authenticator = {
  isRequired: true,
  authenticate: async ({ token }) => {
    if (token === undefined || !holding.has(token)) throw new ChatError('unauthenticated')
    return { ...nobody, userId: 'anna', permissions: allPermissions, keyId: token }
  },
  holdingKeys: async (ids) => new Set(ids.filter((id) => holding.has(id))),
}
await stage.stopEdge()
await stage.startEdge({ authenticator })

t.test('where the server asks for a key, the reader is asked, told of a wrong one, and chats with the right one until it is revoked', async (t) => {
  const page = await stage.read(t, { field: 'API key or token' })
  const key = page.getByLabel('API key or token')
  await key.fill('wrong')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').getByText('does not accept this key').waitFor()
  await key.fill(' right ')
  await key.press('Enter')
  const field = page.getByRole('textbox', { name: 'Message' })
  await field.fill('Hello')
  await field.press('Enter')
  const turn = await chat.nextTurn()
  turn.say('Hello, Anna')
  turn.end()
  await page.locator('.messages').getByText('Hello, Anna').waitFor()
  t.notMatch(page.url(), /right/)
  t.equal(await page.evaluate(() => JSON.stringify(Object.entries(localStorage)).includes('right')), false)

  await page.reload()
  await page.locator('.messages').getByText('Hello, Anna').waitFor()
  holding.clear()
  await page.getByRole('alert').getByText('does not accept this key').waitFor()
  holding.add('right')
})

t.test('who signs out is asked again', async (t) => {
  const page = await stage.read(t, { field: 'API key or token' })
  await page.getByLabel('API key or token').fill('right')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('This server asks who you are').waitFor()
  t.equal(await page.evaluate(() => sessionStorage.length), 0)
})

t.test('no page complained', async (t) => {
  t.same(stage.complaints, [])
})
