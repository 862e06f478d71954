/** Many conversations at once, on one, two or three devices each. */
import type { Sent, StoredConversation, Transcript } from '../checker/evidence.ts'
import type { Random } from '../random.ts'
import { Device } from './device.ts'
import { Talker } from './talker.ts'

export interface LoadOptions {
  readonly conversations: number
  /** Of the edges. */
  readonly port: () => number
  /** Sets this load apart from others on the same servers. */
  readonly name: string
  readonly random: Random
}

/** Everything has ended when the load has; only what is on its way still comes. */
const settleMs = 20_000

export class Load {
  readonly talkers: readonly Talker[]
  #talking: Promise<unknown> | undefined

  private constructor(talkers: readonly Talker[]) {
    this.talkers = talkers
  }

  static async connect({ conversations, port, name, random }: LoadOptions): Promise<Load> {
    const talkers = await Promise.all(
      Array.from({ length: conversations }, async (_, n) => {
        const userId = `${name}-${n}`
        const options = (device: string) => ({ name: `${userId} ${device}`, port, userId, subprotocol: n % 3 === 0 ? ('chatterbot.v1.msgpack' as const) : ('chatterbot.v1.json' as const) })
        const own = random.fork()
        const phone = await Device.connect(options('phone'))
        await phone.create(own.chance(0.3) ? `Be ${userId}.` : null)
        const others = Array.from({ length: n % 3 }, async (_, at) => {
          const device = await Device.connectElsewhere(options(at === 0 ? 'laptop' : 'tablet'), phone.node)
          await device.open(phone.conversation.id)
          return device
        })
        return new Talker(userId, [phone, ...(await Promise.all(others))], own)
      }),
    )
    return new Load(talkers)
  }

  start(): void {
    this.#talking = Promise.all(this.talkers.map((talker) => talker.talk()))
    // Told by `stop`.
    this.#talking.catch(() => {})
  }

  /** Resolves when all that was asked has ended, or was waited for in vain. */
  async stop(): Promise<void> {
    for (const talker of this.talkers) talker.stop()
    await this.#talking
  }

  /** Resolves with true when each talker has had so many turns end from now on; with false where that takes longer. */
  async progresses(turns: number, withinMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), withinMs)
    })
    const all = Promise.all(this.talkers.map((talker) => talker.ended(turns))).then(() => true as const)
    return Promise.race([all, late]).finally(() => clearTimeout(timer))
  }

  get devices(): readonly Device[] {
    return this.talkers.flatMap(({ devices }) => devices)
  }

  get conversationIds(): readonly number[] {
    return this.talkers.map(({ conversationId }) => conversationId)
  }

  get sent(): readonly Sent[] {
    return this.talkers.flatMap(({ sent }) => sent)
  }

  /** What each device shows once it shows all that is stored, or does not come to. */
  async transcripts(stored: readonly StoredConversation[]): Promise<Transcript[]> {
    const messageIds = new Map(stored.map(({ conversationId, messages }) => [conversationId, messages.map(({ id }) => id)]))
    return Promise.all(
      this.devices.map(async (device) => {
        await device.settles(messageIds.get(device.conversation.id) ?? [], settleMs)
        return device.transcript()
      }),
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.close()))
  }
}
