/** What a cluster at rest still holds. */
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { lanes } from '../../../platform/bus/job-queue.ts'
import type { Leftovers } from '../checker/evidence.ts'
import type { Services } from './services.ts'
import type { System } from './system.ts'

interface StreamDetail {
  readonly name: string
  readonly state: { readonly messages: number }
}

/** Of idle processes, a few subscriptions come and go: each lane is pulled anew from time to time. */
export class Rest {
  readonly #services: Services
  readonly #system: System
  #subscriptions = 0

  constructor(services: Services, system: System) {
    this.#services = services
    this.#system = system
  }

  /** Remembers what is there before the load: the most of a while. */
  async observe(): Promise<void> {
    for (let looks = 0; looks < 10; looks++) {
      this.#subscriptions = Math.max(this.#subscriptions, await this.#countSubscriptions())
      await delay(100)
    }
  }

  /** Looks until nothing is left or the time is up. `actors`: also whether every conversation has left memory. */
  async leftovers(withinMs: number, { actors: lookAtActors }: { readonly actors: boolean }): Promise<Leftovers> {
    const until = Date.now() + withinMs
    for (;;) {
      const [jobs, subscriptions, actors] = await Promise.all([this.#jobs(), this.#countSubscriptions(), lookAtActors ? this.#metric('chatterbot_actors') : this.#metric('chatterbot_unfinished_turns')])
      const left: Leftovers = { jobs, subscriptions: Math.max(0, subscriptions - this.#subscriptions), actors }
      if (Date.now() >= until || (left.subscriptions === 0 && left.actors === 0 && Object.values(jobs).every((count) => count === 0))) return left
      await delay(200)
    }
  }

  async #jobs(): Promise<Record<string, number>> {
    const { account_details = [] } = await this.#monitor<{ account_details?: { stream_detail?: StreamDetail[] }[] }>('/jsz?streams=true')
    const streams = account_details.flatMap(({ stream_detail = [] }) => stream_detail)
    return Object.fromEntries(lanes.map((lane) => [lane, streams.find(({ name }) => name === `jobs-${lane}`)?.state.messages ?? 0]))
  }

  async #countSubscriptions(): Promise<number> {
    return (await this.#monitor<{ num_subscriptions: number }>('/subsz')).num_subscriptions
  }

  async #monitor<Answer>(path: string): Promise<Answer> {
    const { body } = await request(`${this.#services.natsMonitor}${path}`)
    return (await body.json()) as Answer
  }

  /** Summed over the edges. */
  async #metric(name: string): Promise<number> {
    const pages = await Promise.all(this.#system.metricsUrls('edge').map(async (url) => (await request(url)).body.text()))
    return pages.reduce((sum, page) => sum + Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(page)?.[1] ?? 0), 0)
  }
}
