import fc from 'fast-check'
import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { Mailbox } from './mailbox.ts'

/** A task that ends when it is told to. */
function gate() {
  let open: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, task: () => done }
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: unknown) => (error instanceof ChatError ? error.code : String(error)),
  )
}

t.test('tasks run one at a time and in order, whatever they do and whenever they come', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ waits: fc.nat(3), fails: fc.boolean(), later: fc.boolean() }), { maxLength: 30 }), async (plans) => {
      const mailbox = new Mailbox(100)
      const log: string[] = []
      let running = 0
      const outcomes: Promise<string>[] = []
      for (const [n, { waits, fails, later }] of plans.entries()) {
        if (later) await new Promise(setImmediate)
        outcomes.push(
          code(
            mailbox.run(async () => {
              running += 1
              if (running > 1) throw new Error('two at once')
              for (let turn = 0; turn < waits; turn += 1) await new Promise(setImmediate)
              log.push(String(n))
              running -= 1
              if (fails) throw new ChatError('internal')
            }),
          ),
        )
      }
      const results = await Promise.all(outcomes)
      if (log.join() !== plans.map((_, n) => n).join()) throw new Error(`ran as ${log.join()}`)
      if (results.some((result, n) => result !== (plans[n]?.fails ? 'internal' : 'done'))) throw new Error(results.join())
      if (!mailbox.idle) throw new Error('not idle')
    }),
  )
})

t.test('a full mailbox refuses, and takes again when there is room', async (t) => {
  const mailbox = new Mailbox(2)
  const first = gate()
  const running = mailbox.run(first.task)
  const waiting = [mailbox.run(async () => 1), mailbox.run(async () => 2)]
  t.equal(await code(mailbox.run(async () => 3)), 'overloaded')
  first.open()
  await running
  t.same(await Promise.all(waiting), [1, 2])
  t.equal(await mailbox.run(async () => 4), 4)
})

t.test('a task that waits for too long is refused; one that has begun is not', async (t) => {
  const mailbox = new Mailbox(10)
  const first = gate()
  let began = false
  const running = mailbox.run(first.task, 1)
  const impatient = code(
    mailbox.run(async () => {
      began = true
    }, 1),
  )
  const patient = mailbox.run(async () => 'patient')
  t.equal(await impatient, 'unavailable')
  first.open()
  await running
  t.equal(await patient, 'patient')
  t.notOk(began)
})

t.test('closed, it refuses what waits and what comes, and lets the one that runs end', async (t) => {
  const mailbox = new Mailbox(10)
  const first = gate()
  const running = mailbox.run(first.task)
  const waiting = code(mailbox.run(async () => undefined))
  const closed = mailbox.close('moved')
  t.equal(await waiting, 'moved')
  t.equal(await code(mailbox.run(async () => undefined)), 'moved')
  let ended = false
  void closed.then(() => {
    ended = true
  })
  await new Promise(setImmediate)
  t.notOk(ended)
  first.open()
  await running
  await closed
})
