import t from 'tap'
import { recordedLogger } from '../logging/testing/recorded-logger.ts'
import { once } from './once.ts'
import { ServiceGroup, StoppedWhileStarting } from './service-group.ts'
import type { Service } from './service.ts'

const never = (): Promise<void> => new Promise(() => undefined)

function resolvers() {
  let resolve = (): void => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve: () => resolve(), reject: (error: Error) => reject(error) }
}

function setup(deadlines: { readonly startDeadlineMs?: number; readonly drainDeadlineMs?: number; readonly stopDeadlineMs?: number } = {}) {
  const steps: string[] = []
  const logger = recordedLogger()
  const group = new ServiceGroup({ logger, drainDeadlineMs: 10_000, stopDeadlineMs: 10_000, ...deadlines })
  const service = (name: string, overrides: Partial<Service> = {}): Service => ({
    name,
    start: async () => void steps.push(`start ${name}`),
    drain: async () => void steps.push(`drain ${name}`),
    stop: async () => void steps.push(`stop ${name}`),
    ...overrides,
  })
  return { steps, logger, group, service }
}

t.test('services start in order, and drain and stop in reverse', async (t) => {
  const { steps, group, service } = setup()
  await group.add(service('a'))
  const b = service('b')
  delete b.drain
  await group.add(b)
  t.equal((await group.add(service('c'))).name, 'c')
  await group.drain()
  await group.stop()
  t.strictSame(steps, ['start a', 'start b', 'start c', 'drain c', 'drain a', 'stop c', 'stop b', 'stop a'])
})

t.test('concurrent and later callers share one drain and one stop', async (t) => {
  const { steps, group, service } = setup()
  await group.add(service('a'))
  t.equal(group.drain(), group.drain())
  t.equal(group.stop(), group.stop())
  await group.stop()
  await group.stop()
  t.strictSame(steps.filter((step) => step !== 'drain a'), ['start a', 'stop a'])
})

t.test('a failed start stops what was started, itself too, and is thrown on', async (t) => {
  const { steps, group, service } = setup()
  const fault = new Error('no such table')
  await group.add(service('a'))
  await t.rejects(group.add(service('b', { start: () => Promise.reject(fault) })), fault)
  t.strictSame(steps, ['start a', 'stop b', 'stop a'])
  await t.rejects(group.add(service('c')), StoppedWhileStarting)
})

t.test('a start that misses its deadline has failed', async (t) => {
  const { steps, group, service } = setup({ startDeadlineMs: 1 })
  await t.rejects(group.add(service('slow', { start: never })), { message: 'slow did not start within 1 ms' })
  t.strictSame(steps, ['stop slow'])
})

t.test('a step that fails or misses its deadline is logged, the next goes on, and stop says so at the end', async (t) => {
  const { steps, logger, group, service } = setup({ drainDeadlineMs: 1, stopDeadlineMs: 1 })
  const fault = new Error('cannot')
  await group.add(service('a'))
  await group.add(service('late', { drain: never, stop: never }))
  await group.add(service('failing', { drain: () => Promise.reject(fault), stop: () => Promise.reject(fault) }))
  await group.drain()
  await t.rejects(group.stop(), { message: 'not stopped cleanly: failing, late' })
  t.strictSame(steps.slice(-2), ['drain a', 'stop a'])
  t.match(logger.lines.filter(({ level }) => level !== 'debug'), [
    { level: 'error', message: 'drain failed', fields: { service: 'failing', err: fault } },
    { level: 'warn', message: 'drain missed its deadline', fields: { service: 'late', deadlineMs: 1 } },
    { level: 'error', message: 'stop failed', fields: { service: 'failing', err: fault } },
    { level: 'warn', message: 'stop missed its deadline', fields: { service: 'late', deadlineMs: 1 } },
  ])
})

t.test('a stop while a service starts stops that too, and whoever adds hears that nothing went wrong', async (t) => {
  const { steps, group, service } = setup()
  const started = resolvers()
  const failed = resolvers()
  await group.add(service('a'))
  const adding = group.add(service('b', { start: () => started.promise, stop: async () => started.resolve() }))
  const stopping = group.stop()
  await t.rejects(adding, StoppedWhileStarting)
  await stopping
  t.strictSame(steps, ['start a', 'stop a'])

  const other = setup().group
  const alsoAdding = other.add(service('c', { start: () => failed.promise, stop: async () => failed.reject(new Error('interrupted')) }))
  await Promise.all([other.stop(), t.rejects(alsoAdding, StoppedWhileStarting)])
})

t.test('once shares a failure as well', async (t) => {
  let runs = 0
  const task = once(async () => {
    runs += 1
    throw new Error('first and only')
  })
  await t.rejects(task(), { message: 'first and only' })
  await t.rejects(task(), { message: 'first and only' })
  t.equal(runs, 1)
})
