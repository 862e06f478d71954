import { readFileSync } from 'node:fs'

/** Postgres refuses to run as root: then it runs as postgres or nobody. */
export function serverUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'))
  const account = accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody')
  if (account === undefined) throw new Error('Postgres refuses to run as root, and there is neither a user postgres nor nobody to run it as')
  return { uid: Number(account[2]), gid: Number(account[3]) }
}
