import type { Conversation } from '../../client/client.ts'

/** Resolves once the text of the running reply is as wanted. */
export function untilShown(conversation: Conversation, isEnough: (text: string) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      const { turns } = conversation.snapshot()
      if (!turns.some(({ text }) => isEnough(text))) return
      stop()
      resolve()
    }
    const stop = conversation.subscribe(look)
    look()
  })
}
