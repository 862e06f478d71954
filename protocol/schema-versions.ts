/**
 * What the schemas were when the wire last changed on purpose; schema-versions.test.ts compares. A hash covers what is
 * validated, not descriptions.
 */
export const schemaVersions = {
  websocket: { version: 'chatterbot.v1', sha256: 'ca4e6c6f5f2ba66eb5ce096fef5d499ae982cd561dcf39d26adcbb2e861f66f3' },
  bus: { version: 1, sha256: '3bdf5fce064eeec6150cc07e499fc588fcae3a925a5132e51794f024d13a432e' },
} as const
