/**
 * What the schemas were when the wire last changed on purpose; schema-versions.test.ts compares. A hash covers what is
 * validated, not descriptions.
 */
export const schemaVersions = {
  websocket: { version: 'chatterbot.v1', sha256: 'e2021f1d035c0a85538657c88924ed2c2726a8cd1b12a01fa27de14ccc7e9ccd' },
  bus: { version: 1, sha256: '051ab0dbed61bdda4ffd4a5540af3e7c153b432e0ef8b8890f14e72b50bdb635' },
} as const
