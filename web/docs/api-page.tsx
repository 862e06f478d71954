/** The page at /docs: what the HTTP API does, made from the operations when the page is built. */
import { Fragment } from 'react'
import { allOperations, groupOf, operationGroups, type OperationGroup } from '../../protocol/docs/operation-groups.ts'
import type { Operation } from '../../protocol/rest/operation.ts'
import { exampleOrigin } from './curl.ts'
import { Frame } from './frame.tsx'
import { OperationSection } from './operation.tsx'
import { Code } from './prose.tsx'

type Entry = readonly [string, Operation]

interface FilledGroup {
  readonly group: OperationGroup
  readonly operations: readonly Entry[]
}

function filledGroups(): readonly FilledGroup[] {
  return operationGroups
    .map((group) => ({ group, operations: Object.entries(allOperations).filter(([, operation]) => groupOf(operation) === group) }))
    .filter(({ operations }) => operations.length > 0)
}

const anchorOf = ({ name }: OperationGroup): string => `group-${name.toLowerCase()}`

const firstExample = `curl ${exampleOrigin}/chat \\
  -H 'Content-Type: application/json' \\
  -d '{"message":"Explain relativity","user_id":"user123"}'`

export function ApiPage() {
  const groups = filledGroups()
  return (
    <Frame contents={<Contents groups={groups} />}>
      <section className="introduction">
        <h1>The HTTP API</h1>
        <p>
          Chat over HTTP: a message in, the reply out, at once, as a stream, or later. Programs read the same as <a href="/openapi.json">OpenAPI 3.1</a>.
        </p>
        <Code label="Say something" text={firstExample} />
        <h2 id="credentials">Credentials</h2>
        <p>
          Send an API key or a JSON Web Token as <code>Authorization: Bearer …</code>, or a key as <code>X-API-Key</code>. A server in mode <code>none</code>, as on a laptop, asks for nothing. Each operation says which permission it needs. Where
          your credentials may act for others, <code>user_id</code> in a body or the header <code>X-User-Id</code> names the user that a request is for. What belongs to another user is answered exactly as what does not exist.
        </p>
        <h2 id="promises">Promises</h2>
        <p>
          A turn that was accepted is stored, and ends: its reply goes on whichever process dies, and can be read again. Repeat a request whose answer you did not get with the same <code>Idempotency-Key</code> or <code>client_message_id</code>:
          nothing starts twice. A stream that breaks goes on at the next character, at any server, with <code>Last-Event-ID</code>.
        </p>
        <h2 id="limits">Limits</h2>
        <p>
          The headers <code>RateLimit-Policy</code> and <code>RateLimit</code> tell what may be asked for and what is left of it. A request that is too much gets 429, and <code>Retry-After</code> says when to come back; a repetition under its key is never
          refused for it.
        </p>
        <h2 id="problems">Errors</h2>
        <p>
          An error is problem details (RFC 9457, <code>application/problem+json</code>) with a <code>code</code> that never changes its meaning, and <code>retryable</code>; what is wrong with the request stands in <code>errors</code>, by JSON pointer or
          by name. New codes may come: go by <code>retryable</code> where you do not know one, and wait as long as <code>Retry-After</code> says. <a href="/docs/errors">All codes</a>.
        </p>
      </section>
      {groups.map(({ group, operations }) => (
        <section key={group.name} className="group" aria-labelledby={anchorOf(group)}>
          <h2 id={anchorOf(group)}>{group.name}</h2>
          <p>{group.description}</p>
          {operations.map(([id, operation]) => (
            <OperationSection key={id} id={id} operation={operation} />
          ))}
        </section>
      ))}
    </Frame>
  )
}

function Contents({ groups }: { readonly groups: readonly FilledGroup[] }) {
  return (
    <>
      {groups.map(({ group, operations }) => (
        <section key={group.name}>
          <h2>
            <a href={`#${anchorOf(group)}`}>{group.name}</a>
          </h2>
          <ul>
            {operations.map(([id, { method, path }]) => (
              <li key={id}>
                <a href={`#${id}`}>
                  <span className={`method ${method}`}>{method.toUpperCase()}</span> <Path path={path} />
                </a>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  )
}

/** Broken between its segments, where it is too long for a line. */
function Path({ path }: { readonly path: string }) {
  return path.split(/(?=\/)/).map((segment, at) => (
    <Fragment key={at}>
      {at === 0 ? null : <wbr />}
      {segment}
    </Fragment>
  ))
}
