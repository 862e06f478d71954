import type { SchemaKeywords } from '../../protocol/docs/schema-keywords.ts'
import { Inline } from './prose.tsx'
import { fieldRows, type FieldRow } from './schema-text.ts'

/** Which fields are marked: those that must be there, or those that may be missing. */
type Marks = 'required' | 'optional' | 'nothing'

interface FieldTableProps {
  readonly caption: string
  readonly schema: SchemaKeywords
  readonly nameOf?: (name: string) => string
  readonly marks: Marks
}

/** The fields of an object, those within it indented below it. */
export function FieldTable({ caption, schema, nameOf = (name) => name, marks }: FieldTableProps) {
  const rows = fieldRows(schema)
  if (rows.length === 0) return null
  return (
    <table className="fields">
      <caption>{caption}</caption>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Type</th>
          <th scope="col">Meaning</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row, at) => (
          <Row key={at} row={{ ...row, name: nameOf(row.name) }} mark={markOf(row, marks)} />
        ))}
      </tbody>
    </table>
  )
}

function markOf({ required }: FieldRow, marks: Marks): string {
  return marks === (required ? 'required' : 'optional') ? marks : ''
}

function Row({ row: { name, depth, type, description }, mark }: { readonly row: FieldRow; readonly mark: string }) {
  return (
    <tr>
      <th scope="row" data-depth={depth}>
        <code>{name}</code>
        {mark === '' ? null : <span className="mark">{mark}</span>}
      </th>
      <td className="type">{type}</td>
      <td>
        <Inline text={description} />
      </td>
    </tr>
  )
}
