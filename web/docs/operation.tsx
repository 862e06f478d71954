import { errorCatalogue } from '../../protocol/errors.ts'
import { errorsOf } from '../../protocol/docs/operation-errors.ts'
import { permissionSummaries } from '../../protocol/permissions.ts'
import type { Operation, ResponseDefinition } from '../../protocol/rest/operation.ts'
import { curlExample, headerName } from './curl.ts'
import { FieldTable } from './field-table.tsx'
import { Code, Inline, Prose } from './prose.tsx'

export function OperationSection({ id, operation }: { readonly id: string; readonly operation: Operation }) {
  const { method, path, summary, description = '', params, query, headers, body, responses } = operation
  return (
    <article className="operation" id={id} aria-labelledby={`${id}-title`}>
      <div className="told">
        <h3 id={`${id}-title`}>
          <a href={`#${id}`}>
            <Inline text={summary} />
          </a>
        </h3>
        <p className="address">
          <span className={`method ${method}`}>{method.toUpperCase()}</span> <code>{path}</code>
        </p>
        {description === '' ? null : <Prose text={description} />}
        <Needs operation={operation} />
        {params === undefined ? null : <FieldTable caption="In the path" schema={params} marks="nothing" />}
        {query === undefined ? null : <FieldTable caption="In the query" schema={query} marks="required" />}
        {headers === undefined ? null : <FieldTable caption="Headers" schema={headers} nameOf={headerName} marks="required" />}
        {body === undefined ? null : <FieldTable caption="Body, JSON" schema={body} marks="required" />}
        {Object.entries(responses).map(([status, response]) => (
          <Response key={status} status={status} response={response} />
        ))}
        <Errors operation={operation} />
      </div>
      <div className="shown">
        <Code label="Request" text={curlExample(operation)} />
        {Object.entries(responses).flatMap(([status, response]) => examplesOf(status, response))}
      </div>
    </article>
  )
}

function Needs({ operation: { permission } }: { readonly operation: Operation }) {
  if (permission === 'public') return <p className="needs">Needs no credentials.</p>
  if (permission === 'any') return <p className="needs">Needs credentials, whatever they allow.</p>
  return (
    <p className="needs">
      Needs the permission <code>{permission}</code>: {permissionSummaries[permission].replace(/^[A-Z]/, (letter) => letter.toLowerCase())}.
    </p>
  )
}

function Response({ status, response: { description, schema, headers = {} } }: { readonly status: string; readonly response: ResponseDefinition }) {
  return (
    <section className="response">
      <h4>
        <span className="status">{status}</span> <Inline text={description} />
      </h4>
      {schema === undefined ? null : <FieldTable caption={`Body of ${status}, JSON`} schema={schema} marks="optional" />}
      {Object.keys(headers).length === 0 ? null : (
        <dl className="response-headers">
          {Object.entries(headers).map(([name, text]) => (
            <div key={name}>
              <dt>
                <code>{name}</code>
              </dt>
              <dd>
                <Inline text={text} />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}

function examplesOf(status: string, { example, eventStream }: ResponseDefinition): readonly React.JSX.Element[] {
  const text = typeof example === 'string' ? example : JSON.stringify(example, null, 2)
  return [
    ...(example === undefined ? [] : [<Code key={status} label={`Answer ${status}`} text={text.trimEnd()} />]),
    ...(eventStream === undefined ? [] : [<Code key={`${status}-events`} label={`Answer ${status}, as events`} text={eventStream.trimEnd()} />]),
  ]
}

/** Its own, with their meaning; those of every operation by their codes alone. */
function Errors({ operation }: { readonly operation: Operation }) {
  return (
    <details className="errors">
      <summary>Errors</summary>
      <ul>
        {errorsOf(operation).map((code) => (
          <li key={code}>
            <span className="status">{errorCatalogue[code].status}</span> <a href={`/docs/errors#${code}`}>{code}</a> {errorCatalogue[code].message}
          </li>
        ))}
      </ul>
    </details>
  )
}
