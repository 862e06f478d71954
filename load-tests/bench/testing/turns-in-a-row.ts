/** Turns as fast as they are answered: whoever serves them too slowly gets fewer, not more under way. */
import { connect, conversationsPerSocket, converse, type Conversation } from './talkers.ts'

/** So many turns, `underWay` at a time, each in the conversation that has rested for longest. Resolves with the seconds it took. */
export async function takeTurns(resting: Conversation[], underWay: number, turns: number, replyTokens: number): Promise<number> {
  const began = performance.now()
  let left = turns
  await Promise.all(
    Array.from({ length: underWay }, async () => {
      while (left > 0) {
        left -= 1
        const conversation = resting.shift()
        if (conversation === undefined) throw new Error('no conversation rests')
        await conversation.talker.talk(conversation.id, `question ${left} of ${performance.now()} [[tokens=${replyTokens}]]`, replyTokens)
        resting.push(conversation)
      }
    }),
  )
  return (performance.now() - began) / 1000
}

const warmingUp = { conversations: 512, underWay: 64, turns: 4_000, replyTokens: 1 } as const

/** Servers that have just started compile what they run: so many turns later they have. */
export async function warmUp(port: number): Promise<void> {
  const talkers = await connect(port, Math.ceil(warmingUp.conversations / conversationsPerSocket))
  await takeTurns(await converse(talkers, warmingUp.conversations), warmingUp.underWay, warmingUp.turns, warmingUp.replyTokens)
  for (const { socket } of talkers) socket.leave()
}
