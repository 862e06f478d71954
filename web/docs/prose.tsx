/** Text of the protocol's descriptions: what stands in backticks is code, an empty line begins a paragraph. */
export function Inline({ text }: { readonly text: string }) {
  return <>{text.split('`').map((part, at) => (at % 2 === 0 ? part : <code key={at}>{part}</code>))}</>
}

export function Prose({ text }: { readonly text: string }) {
  return (
    <>
      {text.split('\n\n').map((paragraph, at) => (
        <p key={at}>
          <Inline text={paragraph} />
        </p>
      ))}
    </>
  )
}

/** A block that scrolls by itself, so that keyboards must reach it; the page's script adds a button that copies it. */
export function Code({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    <figure className="example" aria-label={label}>
      <figcaption>{label}</figcaption>
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
    </figure>
  )
}
