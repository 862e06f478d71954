/** The process of raw-uwebsockets.ts. Its argument is the pace, as JSON; it says in a line of JSON when it is ready. */
import { serve } from './plain-server.ts'
import { TokensInPlace, type Pace } from './tokens-in-place.ts'

interface Person {
  halt: () => void
}

const tokens = new TokensInPlace(JSON.parse(process.argv[2] ?? '{}') as Pace)

serve<Person>({
  person: () => ({ halt: () => undefined }),
  ask: (socket, id, message) => {
    socket.getUserData().halt = tokens.begin(
      message,
      (text) => socket.send(`{"id":${id},"token":${JSON.stringify(text)}}`),
      () => socket.send(`{"id":${id},"done":true}`),
    )
  },
  gone: (person) => person.halt(),
})
