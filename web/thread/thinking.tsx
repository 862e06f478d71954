/** Three dots while there is nothing to read yet. */
export function Thinking({ label }: { readonly label: string }) {
  return (
    <p className="thinking">
      <span className="visually-hidden">{label}</span>
      <span className="dot" />
      <span className="dot" />
      <span className="dot" />
    </p>
  )
}
