/**
 * What the schemas were when the wire last changed on purpose; schema-versions.test.ts compares. A hash covers what is
 * validated, not descriptions.
 */
export const schemaVersions = {
  websocket: { version: 'chatterbot.v1', sha256: 'e400bfe17707945051d4afc0774e5824ee774bdbe388ee37945f5a85a8a48eb8' },
  bus: { version: 1, sha256: '051ab0dbed61bdda4ffd4a5540af3e7c153b432e0ef8b8890f14e72b50bdb635' },
} as const
