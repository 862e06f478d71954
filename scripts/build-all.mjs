import { buildPage } from './build-page.mjs'
import { compile } from './compile.mjs'

/** Makes dist/ current. Both halves run to their end, so that a failure leaves no process behind. */
export async function buildAll() {
  const failed = (await Promise.allSettled([compile(), buildPage()])).find(({ status }) => status === 'rejected')
  if (failed) throw failed.reason
}
