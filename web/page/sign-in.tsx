import { useState, type FormEvent } from 'react'
import type { KeptKey } from '../session/kept-key.ts'

/** Asks for a key where the server wants one, or refused the one that it was shown. */
export function SignIn({ keptKey }: { readonly keptKey: KeptKey }) {
  const [value, setValue] = useState('')
  const [fault, setFault] = useState(keptKey.get() === null ? null : 'The server does not accept this key. It may be mistyped, expired or revoked.')

  const submit = (event: FormEvent) => {
    event.preventDefault()
    const key = value.trim()
    if (key === '') return
    // Everything begins anew with the key: what was said under no name stays with nobody.
    if (keptKey.keep(key)) window.location.reload()
    else setFault('This browser keeps nothing for this page, as some private windows do. Use another window.')
  }

  return (
    <form className="sign-in" onSubmit={submit}>
      <h2>Sign in</h2>
      <p>This server asks who you are. You get a key from whoever runs it.</p>
      <label htmlFor="sign-in-key">API key or token</label>
      <input
        id="sign-in-key"
        type="password"
        autoComplete="off"
        spellCheck={false}
        required
        maxLength={8192}
        value={value}
        aria-invalid={fault !== null}
        aria-describedby={fault === null ? undefined : 'sign-in-fault'}
        onChange={(event) => setValue(event.target.value)}
      />
      {fault === null ? null : (
        <p id="sign-in-fault" className="fault" role="alert">
          {fault}
        </p>
      )}
      <button type="submit" className="button primary">
        Sign in
      </button>
    </form>
  )
}
