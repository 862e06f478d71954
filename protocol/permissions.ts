/** What credentials may allow. Each operation of the HTTP API and each command of the WebSocket protocol names the one that it needs. */
export const permissions = ['conversations:read', 'conversations:write', 'turns:write', 'models:read', 'operations:read'] as const

export type Permission = (typeof permissions)[number]
