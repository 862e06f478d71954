/** People who ask, each over a connection of their own, and again as soon as a reply has ended; and what they heard. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { kindOfFault, verifyTranscript } from '../simulated-vllm/reply.ts'
import type { Session } from './session.ts'

export interface Talk {
  readonly turnsEach: number
  /** They begin at random within so long. */
  readonly withinMs: number
  /** Of each reply, where the engine is the simulated one, and so every reply can be verified; null: it is not. */
  readonly tokens: number | null
  /** What the engine is asked, but for what makes each question another. */
  readonly question: string
}

export interface Heard {
  readonly turns: number
  /** Of replies that ended as they should; 0 where none can be verified. */
  readonly tokens: number
  /** Frames, or events, with text. */
  readonly frames: number
  readonly bytes: number
  /** Replies that ended, but are not what the engine said. */
  readonly lost: number
  readonly doubled: number
  readonly reordered: number
  /** Why others did not end. */
  readonly failures: readonly string[]
  /** Milliseconds from each question to its first text. */
  readonly firstTextMs: readonly number[]
  /** Microseconds between two texts of a reply. */
  readonly gaps: RecordableHistogram
  /** From the first question to the last end. */
  readonly seconds: number
}

const longestGapUs = 600_000_000

class Hearing {
  readonly firstTextMs: number[] = []
  readonly failures: string[] = []
  readonly gaps = createHistogram({ lowest: 1, highest: longestGapUs, figures: 3 })
  readonly wrong = { lost: 0, doubled: 0, reordered: 0 }
  turns = 0
  tokens = 0
  frames = 0

  judge(text: string, question: string, tokens: number): void {
    const verdict = verifyTranscript(text, question, { tokens })
    if (verdict.ok) this.tokens += verdict.tokens
    else this.wrong[kindOfFault[verdict.problem]] += 1
  }
}

export async function talk(sessions: readonly Session[], plan: Talk): Promise<Heard> {
  const hearing = new Hearing()
  const bytes = (): number => sessions.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
  const [bytesBefore, began] = [bytes(), performance.now()]
  await Promise.all(
    sessions.map(async (session, person) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * plan.withinMs))
      for (let turn = 0; turn < plan.turnsEach; turn += 1) {
        if (!(await askOnce(session, `${plan.question} ${turn} of ${person} at ${performance.now()}`, plan, hearing))) return
      }
    }),
  )
  const { turns, tokens, frames, wrong, failures, firstTextMs, gaps } = hearing
  return { turns, tokens, frames, bytes: bytes() - bytesBefore, ...wrong, failures, firstTextMs, gaps, seconds: (performance.now() - began) / 1000 }
}

/** False: it failed, and there is no sense in asking that connection again. */
async function askOnce(session: Session, question: string, plan: Talk, hearing: Hearing): Promise<boolean> {
  const began = performance.now()
  let at = 0
  let text = ''
  try {
    await session.ask(question, (more) => {
      const now = performance.now()
      if (at === 0) hearing.firstTextMs.push(now - began)
      else hearing.gaps.record(Math.max(1, Math.round((now - at) * 1000)))
      at = now
      text += more
      hearing.frames += 1
    })
  } catch (error) {
    hearing.failures.push(error instanceof Error ? error.message : String(error))
    return false
  }
  hearing.turns += 1
  if (plan.tokens !== null) hearing.judge(text, question, plan.tokens)
  return true
}
