/**
 * What the schemas were when the wire last changed on purpose; schema-versions.test.ts compares. A hash covers what is
 * validated, not descriptions.
 */
export const schemaVersions = {
  websocket: { version: 'chatterbot.v1', sha256: '85e8da506cb66dfef8ebf87c2adb68b84f7122d0bc14d88fee0a4f954c497663' },
  bus: { version: 1, sha256: '012d770a73bb5f43391971300d0201133fc57127444e87c7233b5d8ac0e8b48d' },
} as const
