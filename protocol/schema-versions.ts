/**
 * What the schemas were when the wire last changed on purpose; schema-versions.test.ts compares. A hash covers what is
 * validated, not descriptions.
 */
export const schemaVersions = {
  websocket: { version: 'chatterbot.v1', sha256: 'b862f7f4b81f306638a5e503c34b467039d8e105024423e02995c02b5722c71a' },
  bus: { version: 1, sha256: '05c8d1d4d44f14db4575041e4ad3e30c3df22056308cb809638363325469b3a6' },
} as const
