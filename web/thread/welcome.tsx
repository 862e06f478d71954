import { ChatIcon } from '../page/icons.tsx'
import { useSession } from '../session/session-context.ts'

const starters = [
  { title: 'Explain an idea', prompt: 'Explain how a hash map works, with a small example in Python.' },
  { title: 'Draft a message', prompt: 'Draft a short, friendly note that moves a meeting from Tuesday to Thursday.' },
  { title: 'Compare options', prompt: 'Compare TCP and UDP in a table: reliability, ordering, speed and typical uses.' },
  { title: 'Think of ideas', prompt: 'Give me five ideas for a rainy afternoon with two children aged six and nine.' }
]

/** An empty conversation, and a few ways to begin. */
export function Welcome({ isNew }: { readonly isNew: boolean }) {
  const session = useSession()
  return (
    <div className="place welcome">
      <span className="welcome-mark">
        <ChatIcon />
      </span>
      <h2>{isNew ? 'What is on your mind?' : 'Nothing was said here yet'}</h2>
      <ul className="starters">
        {starters.map(({ title, prompt }) => (
          <li key={title}>
            <button type="button" onClick={() => session.send(prompt)}>
              <strong>{title}</strong>
              <span>{prompt}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}
