/**
 * What the schemas were when the wire last changed on purpose; schema-versions.test.ts compares. A hash covers what is
 * validated, not descriptions.
 */
export const schemaVersions = {
  websocket: { version: 'chatterbot.v1', sha256: '9b5a946abe7936c481a3caa668872991d1dd6be97ce07a334d3c6ff14acc12c3' },
  bus: { version: 1, sha256: '1e8635ff26e74a7e132006998b78405ddb529c67ec1d0d993a5d0bd888b9f8f3' },
} as const
