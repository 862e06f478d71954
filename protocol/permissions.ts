/** What credentials may allow. Each operation of the HTTP API and each command of the WebSocket protocol names the one that it needs. */
export const permissions = ['conversations:read', 'conversations:write', 'turns:write', 'models:read', 'operations:read'] as const

export type Permission = (typeof permissions)[number]

export const permissionSummaries: Readonly<Record<Permission, string>> = {
  'conversations:read': 'List, read, open and export conversations, and read turns and their streams',
  'conversations:write': 'Create, rename and delete conversations',
  'turns:write': 'Send messages, edit, regenerate and stop',
  'models:read': 'List the models',
  'operations:read': 'Read what operators watch: the metrics',
}
