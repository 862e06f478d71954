/** A person with one or more devices, who says one thing after the other until told to stop. */
import { setTimeout as delay } from 'node:timers/promises'
import { ChatError, type Conversation, type SentTurn } from '../../../client/client.ts'
import type { Acceptance, Sent } from '../checker/evidence.ts'
import type { Random } from '../random.ts'
import type { Device } from './device.ts'

/** Longer than any fault lasts: what is not there by then is not coming. */
const patienceMs = 60_000

type Action = (talker: Talker) => Promise<void>

export class Talker {
  readonly devices: readonly Device[]
  readonly #name: string
  readonly #random: Random
  readonly #sent: MutableSent[] = []
  #count = 0
  #isStopping = false
  /** Turns whose end was waited for in vain, or that ended. */
  #ends = 0
  #endWaiters: (() => void)[] = []

  constructor(name: string, devices: readonly Device[], random: Random) {
    this.#name = name
    this.devices = devices
    this.#random = random
  }

  get sent(): readonly Sent[] {
    return this.#sent
  }

  get conversationId(): number {
    return this.#device().conversation.id
  }

  /** Resolves when told to stop and all that was asked has ended. */
  async talk(): Promise<void> {
    while (!this.#isStopping) await this.#random.pick(actions)(this)
  }

  stop(): void {
    this.#isStopping = true
  }

  /** Resolves when so many turns more have ended. */
  async ended(turns: number): Promise<void> {
    const wanted = this.#ends + turns
    while (this.#ends < wanted) await new Promise<void>((resolve) => this.#endWaiters.push(resolve))
  }

  // What people do -----------------------------------------------------------------------------------------------

  static async ask(talker: Talker): Promise<void> {
    await talker.#end(talker.#say(talker.#anyDevice()))
  }

  /** Without waiting for the replies between. */
  static async askAtOnce(talker: Talker): Promise<void> {
    const device = talker.#anyDevice()
    const turns = [talker.#say(device), talker.#say(device), talker.#say(device)]
    await Promise.all(turns.map((turn) => talker.#end(turn)))
  }

  static async askFromEverywhere(talker: Talker): Promise<void> {
    await Promise.all(talker.devices.map((device) => talker.#end(talker.#say(device))))
  }

  static async stopHalfway(talker: Talker): Promise<void> {
    const device = talker.#anyDevice()
    const asked = talker.#say(device)
    const ended = talker.#end(asked)
    const turn = await asked
    if (turn !== null && (await Promise.race([pieces(turn, 1 + talker.#random.below(5)), ended.then(() => false)]))) {
      // By whoever is at hand, who may have lost the connection.
      await talker.#anyDevice().conversation.stop(turn.turnId).catch(ignoreRefusal)
    }
    await ended
  }

  static async editHalfway(talker: Talker): Promise<void> {
    const device = talker.#anyDevice()
    const asked = talker.#say(device)
    const first = talker.#end(asked)
    const turn = await asked
    if (turn === null || !(await Promise.race([pieces(turn, 1 + talker.#random.below(5)), first.then(() => true)]))) return
    const { message_id } = await turn.accepted
    const text = talker.#text()
    await Promise.all([first, talker.#end(talker.#begin(device, 'edit', text, (conversation) => conversation.edit(message_id, text)))])
  }

  static async askAgain(talker: Talker): Promise<void> {
    const device = talker.#anyDevice()
    const message = device.conversation.snapshot().messages.findLast(({ role }) => role === 'user')
    if (message === undefined) return Talker.ask(talker)
    await talker.#end(talker.#begin(device, 'regenerate', message.text, (conversation) => conversation.regenerate(message.id)))
  }

  /** The key of something that was accepted, from any device: as a client does that missed the answer. */
  static async repeat(talker: Talker): Promise<void> {
    const sent = talker.#sent.findLast(({ kind, accepted }) => kind === 'send' && accepted !== null)
    if (sent === undefined) return Talker.ask(talker)
    const device = talker.#anyDevice()
    const turn = device.conversation.send(sent.text, { clientMessageId: sent.clientMessageId, params: sent.params })
    const refusals: string[] = []
    const answer = await talker.#acceptance(device.conversation, turn, refusals)
    if (answer !== null) sent.repeats.push(answer.acceptance)
    else sent.refusals.push(...refusals)
  }

  static async reconnect(talker: Talker): Promise<void> {
    const device = talker.#anyDevice()
    const ended = talker.#end(talker.#say(device))
    await Promise.race([delay(talker.#random.between(0, 800)), ended])
    talker.#anyDevice().line.cut()
    await ended
  }

  // How ----------------------------------------------------------------------------------------------------------

  #device(): Device {
    return this.devices[0] as Device
  }

  #anyDevice(): Device {
    return this.#random.pick(this.devices)
  }

  #text(): string {
    this.#count += 1
    const tokens = 10 + this.#random.below(70)
    return `${this.#name} says ${this.#count} [[tokens=${tokens}]]${this.#random.chance(0.3) ? ' [[multibyte]]' : ''}`
  }

  /** Some at temperature 0, whose second replies come from the cache; some with less to say than there is. */
  #say(device: Device): Promise<SentTurn | null> {
    const text = this.#text()
    const params = { ...(this.#random.chance(0.2) ? { temperature: 0 } : {}), ...(this.#random.chance(0.1) ? { max_tokens: 5 + this.#random.below(20) } : {}) }
    return this.#begin(device, 'send', text, (conversation) => conversation.send(text, { params }), params)
  }

  /** Null where it is not accepted in time. */
  async #begin(device: Device, kind: Sent['kind'], text: string, begin: (conversation: Conversation) => SentTurn, params: Sent['params'] = {}): Promise<SentTurn | null> {
    const { conversation } = device
    const turn = begin(conversation)
    const sent: MutableSent = { clientMessageId: turn.clientMessageId, conversationId: conversation.id, device: device.name, kind, text, params, at: Date.now(), accepted: null, refusals: [], repeats: [] }
    this.#sent.push(sent)
    const answer = await this.#acceptance(conversation, turn, sent.refusals)
    if (answer === null) return null
    sent.accepted = answer.acceptance
    return answer.turn
  }

  /** A person tries again what was refused for now. */
  async #acceptance(conversation: Conversation, first: SentTurn, refusals: string[]): Promise<{ readonly turn: SentTurn | null; readonly acceptance: Acceptance } | null> {
    const until = Date.now() + patienceMs
    for (let turn = first; ; ) {
      try {
        const accepted = await within(until - Date.now(), turn.accepted)
        if (accepted === undefined) return null
        const { turn_id, message_id, reply_message_id, duplicate } = accepted
        return { turn, acceptance: { at: Date.now(), turnId: turn_id, messageId: message_id, replyMessageId: reply_message_id, duplicate } }
      } catch (error) {
        const code = error instanceof ChatError ? error.code : String(error)
        refusals.push(code)
        if (!(error instanceof ChatError) || !error.definition.retryable) return null
      }
      await delay(200)
      // What was refused, its outcome unknown, may have come to pass all the same.
      const arrived = arrival(conversation, turn.clientMessageId)
      if (arrived !== null) return { turn: null, acceptance: arrived }
      turn = conversation.retry(turn.clientMessageId)
    }
  }

  /** Waits for the turn's end, however it ends. */
  async #end(asked: Promise<SentTurn | null>): Promise<void> {
    const turn = await asked
    if (turn !== null) await within(patienceMs, turn.finished.catch(() => undefined))
    this.#ends += 1
    const waiters = this.#endWaiters
    this.#endWaiters = []
    for (const wake of waiters) wake()
  }
}

type MutableSent = { -readonly [Key in keyof Sent]: Sent[Key] extends readonly (infer Item)[] ? Item[] : Sent[Key] }

/** The commonest first, as often as it is done. */
const actions: readonly Action[] = [Talker.ask, Talker.ask, Talker.ask, Talker.askAtOnce, Talker.askFromEverywhere, Talker.stopHalfway, Talker.editHalfway, Talker.askAgain, Talker.repeat, Talker.reconnect]

/** A message of this key that is stored, though its sender was never told. */
function arrival(conversation: Conversation, clientMessageId: string): Acceptance | null {
  const { messages, turns } = conversation.snapshot()
  const message = messages.find((each) => each.clientMessageId === clientMessageId)
  if (message === undefined || message.turnId === null) return null
  const { turnId } = message
  const replyMessageId = turns.find((turn) => turn.turnId === turnId)?.replyMessageId ?? messages.find(({ role, turnId: of }) => role === 'assistant' && of === turnId)?.id
  return replyMessageId === undefined ? null : { at: Date.now(), turnId, messageId: message.id, replyMessageId, duplicate: true }
}

/** Resolves with true after so many pieces of a reply, or at its end. */
async function pieces(turn: SentTurn, count: number): Promise<boolean> {
  let seen = 0
  try {
    for await (const _ of turn) if (++seen === count) return true
  } catch {
    // A reply that failed or began anew has been read far enough.
  }
  return true
}

function ignoreRefusal(error: unknown): void {
  if (!(error instanceof ChatError)) throw error
}

/** Undefined when the time is up. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, ms))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
