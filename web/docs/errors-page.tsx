/** The page at /docs/errors: every code of the catalogue, at the anchor that the `type` of problem details names. */
import { errorCatalogue, type ErrorDefinition } from '../../protocol/errors.ts'
import { Frame } from './frame.tsx'
import { Code } from './prose.tsx'

const example = `{
  "type": "/docs/errors#invalid_field",
  "title": "A field is missing, of the wrong type or out of range",
  "status": 400,
  "detail": "The field /message is missing, of the wrong type or out of range.",
  "code": "invalid_field",
  "retryable": false,
  "errors": [{ "in": "body", "pointer": "/message", "detail": "The field /message is missing, of the wrong type or out of range." }]
}`

export function ErrorsPage() {
  const entries = Object.entries(errorCatalogue as Readonly<Record<string, ErrorDefinition>>)
  const contents = (
    <ul>
      {entries.map(([code]) => (
        <li key={code}>
          <a href={`#${code}`}>{code}</a>
        </li>
      ))}
    </ul>
  )
  return (
    <Frame contents={contents}>
      <section className="introduction">
        <h1>Errors</h1>
        <p>
          Every error has one of these codes, over HTTP and WebSocket alike; clients of the OpenAI API find it as <code>error.code</code>. A code never changes its meaning, and new ones may come. <em>Retry</em>: the same request may succeed later,
          unchanged; wait as long as <code>Retry-After</code> says, else with exponential backoff.
        </p>
        <Code label="application/problem+json" text={example} />
      </section>
      <table className="fields codes">
        <caption>Codes</caption>
        <thead>
          <tr>
            <th scope="col">Code</th>
            <th scope="col">Status</th>
            <th scope="col">Meaning</th>
          </tr>
        </thead>
        <tbody>
          {entries.map(([code, { message, status, retryable, closeCode }]) => (
            <tr key={code} id={code}>
              <th scope="row">
                <a href={`#${code}`}>
                  <code>{code}</code>
                </a>
              </th>
              <td className="type">
                {status}
                {retryable ? ', retry' : ''}
              </td>
              <td>
                {message}
                {closeCode === undefined ? null : <span className="aside"> Closes a WebSocket with {closeCode}.</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Frame>
  )
}
