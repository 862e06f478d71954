import { createRequire } from 'node:module'
import { SetupError } from './steps.mjs'

/** The WebSocket server comes as a binary for each platform and Node version; loading it tells whether one fits. */
export function requireServerBinary() {
  try {
    createRequire(import.meta.url)('uWebSockets.js')
  } catch (error) {
    const { glibcVersionRuntime: glibc } = process.report.getReport().header
    const system = `Node ${process.version} on ${process.platform}/${process.arch}${glibc ? ` with glibc ${glibc}` : ''}`
    throw new SetupError(
      `The WebSocket server (uWebSockets.js) has no binary that runs on ${system}.\n${error.message.trim().split('\n').at(-1)}`,
      process.platform === 'linux' && !glibc
        ? 'use a Linux with glibc, such as Debian (Alpine has musl).'
        : 'use Node 20, or 22 and 24 where glibc is 2.38 or later (Debian 13, Ubuntu 24.04): nvm install 20'
    )
  }
}
