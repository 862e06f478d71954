import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { Compile } from 'typebox/compile'
import { errorCatalogue } from '../errors.ts'
import type { Operation } from '../rest/operation.ts'
import { errorsOf } from './operation-errors.ts'
import { allOperations, groupOf } from './operation-groups.ts'
import { openapiDocument } from './openapi.ts'

const operations = Object.entries(allOperations)

t.test('the document is OpenAPI 3.1, and every reference leads somewhere', async (t) => {
  const document = JSON.parse(JSON.stringify(openapiDocument())) as Record<string, unknown>
  const validator = new Validator({ strict: false })
  t.same(await validator.validate(document), { valid: true })
  t.equal(validator.version, '3.1')
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path)
  t.ok(references.length > 0)
  for (const reference of new Set(references)) {
    t.type(reference.split('/').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document), 'object', reference)
  }
})

t.test('every operation is in a group, and its path names its parameters', async (t) => {
  for (const [id, operation] of operations) {
    t.ok(groupOf(operation), `${id} is in no group: operation-groups.ts`)
    const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    t.same(Object.keys(operation.params?.properties ?? {}).sort(), inPath.sort(), id)
  }
})

t.test('every operation has examples, and they are what its schemas say', async (t) => {
  for (const [id, operation] of operations) {
    if (operation.body !== undefined) t.not(operation.example?.body, undefined, `${id} has no example of its body`)
    for (const part of ['params', 'query', 'headers', 'body'] as const) {
      const example = operation.example?.[part]
      if (example === undefined) continue
      t.same(faults(operation[part], example), [], `${id}: the example of its ${part}`)
    }
    t.same(faults(operation.params, operation.example?.params ?? {}), [], `${id} has no example of its path`)
    for (const [status, { schema, contentType, example }] of Object.entries(operation.responses)) {
      if (schema !== undefined || contentType !== undefined) t.not(example, undefined, `${id} has no example of ${status}`)
      if (schema !== undefined) t.same(faults(schema, example), [], `${id}: the example of ${status}`)
    }
  }
})

t.test('an operation tells each error once, under the status that the catalogue gives it', async (t) => {
  const { paths } = openapiDocument()
  for (const [id, operation] of operations) {
    const described = paths[operation.path]?.[operation.method] as { readonly responses: Readonly<Record<string, { readonly description: string }>> } | undefined
    for (const code of errorsOf(operation)) t.match(described?.responses[errorCatalogue[code].status]?.description, `\`${code}\``, id)
    for (const status of Object.keys(operation.responses)) t.ok(Number(status) < 400, `${id}: errors are told by their codes`)
  }
})

function faults(schema: Operation['body'], value: unknown): readonly unknown[] {
  return schema === undefined ? (Object.keys(value as object).length === 0 ? [] : ['there is no such part']) : Compile(schema).Errors(value)
}
