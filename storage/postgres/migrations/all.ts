import { conversations } from './0001-conversations.ts'
import { unsentDeadLetters } from './0002-unsent-dead-letters.ts'
import { shortLivedConversations } from './0003-short-lived-conversations.ts'
import { credentials } from './0004-credentials.ts'
import type { Migration } from './migration.ts'

/** In the order in which they are run. A new one goes to the end, in a file of its own. */
export const migrations: readonly Migration[] = [conversations, unsentDeadLetters, shortLivedConversations, credentials]
