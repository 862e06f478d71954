/**
 * What the schemas were when the wire last changed on purpose; schema-versions.test.ts compares. A hash covers what is
 * validated, not descriptions.
 */
export const schemaVersions = {
  websocket: { version: 'chatterbot.v1', sha256: 'ca4e6c6f5f2ba66eb5ce096fef5d499ae982cd561dcf39d26adcbb2e861f66f3' },
  bus: { version: 1, sha256: '1e8635ff26e74a7e132006998b78405ddb529c67ec1d0d993a5d0bd888b9f8f3' },
} as const
