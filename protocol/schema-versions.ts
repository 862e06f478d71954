/**
 * What the schemas were when the wire last changed on purpose; schema-versions.test.ts compares. A hash covers what is
 * validated, not descriptions.
 */
export const schemaVersions = {
  websocket: { version: 'chatterbot.v1', sha256: 'ca4e6c6f5f2ba66eb5ce096fef5d499ae982cd561dcf39d26adcbb2e861f66f3' },
  bus: { version: 1, sha256: 'ae197c036708ae523a79c04714442f7d6a25ec7ea46e46caf3deb9c3748bc53e' },
} as const
