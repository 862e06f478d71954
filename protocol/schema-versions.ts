/**
 * What the schemas were when the wire last changed on purpose; schema-versions.test.ts compares. A hash covers what is
 * validated, not descriptions.
 */
export const schemaVersions = {
  websocket: { version: 'chatterbot.v1', sha256: 'e400bfe17707945051d4afc0774e5824ee774bdbe388ee37945f5a85a8a48eb8' },
  bus: { version: 1, sha256: '09173e385d52925ba8410d085b92a13bca06f7f774ab32428e7faacf8930f184' },
} as const
