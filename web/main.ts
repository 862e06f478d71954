/** The page's composition root. */
import { createElement } from 'react'
import { createRoot } from 'react-dom/client'
import { createClient } from '../client/client.ts'
import { ErrorBoundary } from './page/error-boundary.tsx'
import { Page } from './page/page.tsx'
import { ReadinessWatch } from './page/readiness.ts'
import { ThemeChoice } from './page/theme.ts'
import { ChatSession, type Address } from './session/chat-session.ts'
import { rememberedUser } from './session/identity.ts'
import { KeptKey } from './session/kept-key.ts'

const storage = () => window.localStorage
const keptKey = new KeptKey(() => window.sessionStorage)
const key = keptKey.get()
const here = new URL('.', window.location.href)
const socketUrl = new URL('ws', here)
socketUrl.protocol = here.protocol === 'https:' ? 'wss:' : 'ws:'

const client = createClient({
  url: socketUrl.href,
  // A key says whose it is.
  ...(key === null ? { userId: rememberedUser(storage) } : { token: key }),
  clientName: 'chatterbot-page',
  backoff: { baseMs: 300, maxMs: 10_000 },
})

const address: Address = {
  hash: () => window.location.hash || '#/',
  goTo: (hash) => window.location.assign(hash),
  replace: (hash) => window.history.replaceState(null, '', hash),
  onChange: (changed) => window.addEventListener('hashchange', changed),
}

window.addEventListener('online', () => client.wake())
const session = new ChatSession(client, address)
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return
  client.wake()
  // Another tab or device may have begun something.
  if (session.connection.get().kind === 'open') session.list.refresh()
})

const root = document.getElementById('page')
if (root === null) throw new Error('index.html has no #page')
createRoot(root).render(
  createElement(
    ErrorBoundary,
    null,
    createElement(Page, {
      session,
      themes: new ThemeChoice(storage),
      keptKey,
      readiness: new ReadinessWatch(new URL('ready', here).href),
    }),
  ),
)
