import { createContext, useContext } from 'react'
import type { ChatSession } from './chat-session.ts'

export const SessionContext = createContext<ChatSession | undefined>(undefined)

export function useSession(): ChatSession {
  const session = useContext(SessionContext)
  if (session === undefined) throw new Error('Rendered outside of the page')
  return session
}
