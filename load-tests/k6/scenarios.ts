/** How many people come, when, and what they use. `people` and `holdS` scale each shape. */
import type { Scenario } from 'k6/options'
import { chatsEach, holdS, patienceS, people, requestsPerSecond } from './settings.ts'

type Exec = 'websocketChat' | 'restChat' | 'streamChat' | 'openaiChat'

/** A conversation that is under way ends in peace, or else as lost. */
const grace = `${patienceS + 10}s`

/** Seconds to come and to go. */
const ramp = (share: number): string => `${Math.max(1, Math.round(holdS * share))}s`

/** Most people chat over WebSockets; programs use the rest. */
const mix: readonly (readonly [Exec, number])[] = [['websocketChat', 0.7], ['restChat', 0.1], ['streamChat', 0.1], ['openaiChat', 0.1]]

interface Shape {
  /** Share of the people who are there from the start. */
  readonly begins: number
  readonly stages: readonly { readonly duration: string; readonly share: number }[]
}

const shapes = {
  /** A few of everything: does it work at all? */
  smoke: { begins: 1, stages: [{ duration: `${holdS}s`, share: 1 }] },
  /** A usual day. */
  average: { begins: 0, stages: [{ duration: ramp(0.2), share: 1 }, { duration: `${holdS}s`, share: 1 }, { duration: ramp(0.2), share: 0 }] },
  /** Half as many again as there should be. */
  stress: { begins: 0, stages: [{ duration: ramp(0.2), share: 1 }, { duration: ramp(0.3), share: 1.5 }, { duration: `${holdS}s`, share: 1.5 }, { duration: ramp(0.2), share: 0 }] },
  /** Everybody at once. */
  spike: { begins: 0, stages: [{ duration: ramp(0.2), share: 0.1 }, { duration: '2s', share: 1 }, { duration: `${holdS}s`, share: 1 }, { duration: '2s', share: 0.1 }, { duration: ramp(0.2), share: 0 }] },
  /** A usual day, for as long as it takes to see what grows. */
  soak: { begins: 0, stages: [{ duration: ramp(0.05), share: 1 }, { duration: `${holdS}s`, share: 1 }, { duration: ramp(0.05), share: 0 }] },
  /** More and more, until the thresholds end it. */
  breakpoint: { begins: 0, stages: [{ duration: `${holdS}s`, share: 1 }] },
} as const satisfies Readonly<Record<string, Shape>>

export function scenariosOf(name: string): Record<string, Scenario> {
  // All over WebSockets, all of whose connections break in the same second (websocket-chat.ts).
  if (name === 'storm') return { websocketChat: ramping('websocketChat', 1, shapes.average) }
  if (name === 'requests') return { restChat: arriving('restChat', 0.4), streamChat: arriving('streamChat', 0.3), openaiChat: arriving('openaiChat', 0.3) }
  const shape: Shape | undefined = (shapes as Readonly<Record<string, Shape>>)[name]
  if (shape === undefined) throw new Error(`There is no scenario ${name}: ${[...Object.keys(shapes), 'storm', 'requests'].join(', ')}.`)
  return Object.fromEntries(mix.map(([exec, share]) => [exec, ramping(exec, share, shape)]))
}

/** Requests that come when they come, whoever still waits; `people` wait at the same time at most. */
function arriving(exec: Exec, share: number): Scenario {
  const virtualUsers = Math.max(1, Math.round(people * share))
  return { executor: 'constant-arrival-rate', exec, rate: Math.max(1, Math.round(requestsPerSecond * share)), timeUnit: '1s', duration: `${holdS}s`, preAllocatedVUs: virtualUsers, maxVUs: virtualUsers, gracefulStop: grace }
}

function ramping(exec: Exec, share: number, { begins, stages }: Shape): Scenario {
  const each = exec === 'websocketChat' ? chatsEach : 1
  const count = (of: number): number => Math.max(of > 0 ? 1 : 0, Math.round((people * share * of) / each))
  return {
    executor: 'ramping-vus',
    exec,
    startVUs: count(begins),
    stages: stages.map(({ duration, share: of }) => ({ duration, target: count(of) })),
    gracefulRampDown: grace,
    gracefulStop: grace,
  }
}
