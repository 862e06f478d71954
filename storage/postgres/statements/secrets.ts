import type { Statement } from '../statement.ts'

/** Parameters: name, and what it is to be where nobody was first. */
export const keepSecret: Statement = {
  name: 'keep_secret',
  text: 'INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING',
}

export const secretByName: Statement = {
  name: 'secret_by_name',
  text: 'SELECT value FROM secrets WHERE name = $1',
}
