/** docs/openapi.json: the HTTP API as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html), made from the operations. */
import type { TObject, TSchema } from 'typebox'
import { errorCatalogue, type ErrorCode } from '../errors.ts'
import { permissionSummaries } from '../permissions.ts'
import { limits } from '../websocket/limits.ts'
import type { Operation, ResponseDefinition } from '../rest/operation.ts'
import { OpenAiError, openAiCodes } from '../openai/errors.ts'
import { Problem } from '../rest/problem.ts'
import { allOperations, groupOf, operationGroups } from './operation-groups.ts'
import { namedSchemas, withReferencesWithin } from './references.ts'
import { namedObjects } from './field-tables.ts'
import { errorsOf } from './operation-errors.ts'

export interface OpenApiDocument {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

export function openapiDocument(): OpenApiDocument {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const [id, operation] of Object.entries(allOperations)) (paths[operation.path] ??= {})[operation.method] = described(id, operation)
  const used = new Set(Object.values(allOperations).map(groupOf))
  return {
    openapi: '3.1.1',
    ...about,
    tags: operationGroups.filter((group) => used.has(group)).map(({ name, description }) => ({ name, description })),
    paths,
    components: { schemas: reachable(paths, namedSchemas({ ...namedObjects, Problem, OpenAiError })), headers, securitySchemes },
  } as OpenApiDocument
}

const about = {
  jsonSchemaDialect: 'https://spec.openapis.org/oas/3.1/dialect/base',
  info: {
    title: 'ChatterBot',
    version: '1',
    description: 'Chat over HTTP. Fields may be added to answers: ignore those that you do not know. The WebSocket protocol, which tells more and costs less, is described in docs/protocol.md.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/', description: 'The server that this document comes from' }],
}

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'An API key or a JSON Web Token. A server in mode none, as on a laptop, asks for nothing.' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key' },
}

const headers = {
  'X-Request-Id': { description: 'Names the request in the log of the server', schema: { type: 'string' } },
  'Retry-After': { description: 'Seconds to wait before trying again', schema: { type: 'integer', minimum: 0 } },
  RateLimit: { description: 'What is left of a limit: `r` of it, in a window that ends in `t` seconds. Absent where the request came to none', schema: { type: 'string' }, example: '"requests_per_minute";r=597;t=42' },
  'RateLimit-Policy': { description: 'That limit: `q` in `w` seconds', schema: { type: 'string' }, example: '"requests_per_minute";q=600;w=60' },
}

const onAll = Object.fromEntries(['X-Request-Id', 'RateLimit', 'RateLimit-Policy'].map((name) => [name, { $ref: `#/components/headers/${name}` }]))

function described(id: string, operation: Operation): object {
  const { summary, description, permission, params, query, headers: asked, body, texts = [], example } = operation
  const parameters = [...parametersOf(params, 'path', example?.params), ...parametersOf(query, 'query', example?.query), ...parametersOf(asked, 'header', example?.headers)]
  return {
    operationId: id,
    tags: [groupOf(operation)?.name],
    summary,
    ...(description === undefined ? {} : { description }),
    security: permission === 'public' ? [] : Object.keys(securitySchemes).map((scheme) => ({ [scheme]: permission === 'any' ? [] : [permission] })),
    ...(permission === 'public' || permission === 'any' ? {} : { 'x-permission': permission, 'x-permission-summary': permissionSummaries[permission] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: { 'application/json': { schema: bodySchema(body, texts), ...exampleOf(example?.body) } } } }),
    responses: { ...responsesOf(operation), ...problemsOf(operation) },
  }
}

/** What headers are read as: ASCII, without spaces at the ends. */
const inHeader = '^([!-~]([ -~]*[!-~])?)?$'

/** Texts are held to their bounds apart from the schema, so that each fault has its own code. */
function bodySchema(body: TSchema, texts: readonly string[]): unknown {
  const schema = plain(body) as { readonly properties?: Readonly<Record<string, object>> }
  const bounded = texts.map((name) => [name, { ...schema.properties?.[name], minLength: 1, maxLength: limits.textLength }] as const)
  return bounded.length === 0 ? schema : { ...schema, properties: { ...schema.properties, ...Object.fromEntries(bounded) } }
}

function parametersOf(schema: TObject | undefined, where: 'path' | 'query' | 'header', example: Readonly<Record<string, unknown>> = {}): object[] {
  if (schema === undefined) return []
  const required = new Set(schema.required as readonly string[] | undefined)
  return Object.entries(schema.properties as Record<string, TSchema>).map(([name, property]) => {
    const { description, ...rest } = property as { readonly description?: string; readonly type?: string }
    return {
      name: where === 'header' ? headerName(name) : name,
      in: where,
      required: required.has(name),
      ...(description === undefined ? {} : { description }),
      schema: where === 'header' && rest.type === 'string' ? { pattern: inHeader, ...(plain(rest) as object) } : plain(rest),
      ...exampleOf(example[name]),
    }
  })
}

/** As people write it: `X-User-Id`. */
function headerName(name: string): string {
  return name.split('-').map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join('-')
}

function responsesOf({ responses }: Operation): Record<string, object> {
  return Object.fromEntries(Object.entries(responses).map(([status, definition]) => [status, response(definition)]))
}

function response({ description, schema, contentType = 'application/json', headers: own = {}, example, eventStream }: ResponseDefinition): object {
  const content = {
    ...(schema === undefined && example === undefined ? {} : { [contentType]: { ...schemaOf(schema, contentType), ...exampleOf(example) } }),
    ...(eventStream === undefined ? {} : { [eventStreamType]: { ...exampleOf(eventStream) } }),
  }
  return {
    description,
    headers: {
      ...onAll,
      ...Object.fromEntries(Object.entries(own).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }])),
    },
    ...(Object.keys(content).length === 0 ? {} : { content }),
  }
}

const eventStreamType = 'text/event-stream'

/** None of a stream of events: programs would hold each event against it. */
function schemaOf(schema: TSchema | undefined, contentType: string): object {
  return contentType === eventStreamType ? {} : { schema: schema === undefined ? { type: 'string' } : plain(schema) }
}

/** The errors by their status, each of which may be one of several codes. */
function problemsOf(operation: Operation): Record<string, object> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of errorsOf(operation)) {
    const { status } = errorCatalogue[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries([...byStatus].map(([status, codes]) => [String(status), errorResponse(operation, codes)]))
}

function errorResponse({ path }: Operation, codes: readonly ErrorCode[]): object {
  const retry = codes.some((code) => errorCatalogue[code].retryable)
  return {
    description: codes.map((code) => `\`${code}\`: ${errorCatalogue[code].message}`).join('\n\n'),
    headers: {
      ...onAll,
      ...(retry ? { 'Retry-After': { $ref: '#/components/headers/Retry-After' } } : {}),
    },
    content: path.startsWith('/v1/') ? openAiContent(codes) : { 'application/problem+json': { schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { code: { enum: codes } }, required: ['code'] }] } } },
  }
}

function openAiContent(codes: readonly ErrorCode[]): object {
  const error = { properties: { code: { enum: openAiCodes(codes) } } }
  return { 'application/json': { schema: { allOf: [{ $ref: '#/components/schemas/OpenAiError' }, { properties: { error } }] } } }
}

function exampleOf(example: unknown): object {
  return example === undefined ? {} : { example }
}

function plain(schema: unknown): unknown {
  return withReferencesWithin(schema)
}

/** The named schemas that something refers to. */
function reachable(paths: unknown, all: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const found = new Set<string>()
  const look = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (found.has(name)) continue
      found.add(name)
      look(all[name])
    }
  }
  look(paths)
  return Object.fromEntries(Object.entries(all).filter(([name]) => found.has(name)))
}
