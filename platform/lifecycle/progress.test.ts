import t from 'tap'
import { StoppedWhileStarting } from './service-group.ts'
import { Progress } from './progress.ts'

function output(isTTY: boolean) {
  const written: string[] = []
  return { written, isTTY, write: (text: string) => written.push(text) }
}

t.test('each step is a line with its time, however it ends', async (t) => {
  const out = output(false)
  const progress = new Progress(out)
  t.equal(await progress.step('Counting', () => Promise.resolve(3)), 3)
  await t.rejects(progress.step('Failing', () => Promise.reject(new Error('no'))), /no/)
  await t.rejects(progress.step('Stopping', () => Promise.reject(new StoppedWhileStarting())))
  await progress.step('Since a while', () => Promise.resolve(), performance.now() - 61_000)
  progress.say('That is all.')
  const times = out.written.map((line) => line.replace(/\d+\.\d s/, 'N s'))
  t.same(times, ['Counting: done in N s\n', 'Failing: failed after N s\n', 'Stopping: stopped after N s\n', 'Since a while: done in N s\n', 'That is all.\n'])
  t.match(out.written[3], /61\.\d s/)
})

t.test('a terminal shows what is going on, and one line remains of it', async (t) => {
  const out = output(true)
  const shown = new Promise<void>((resolve) => {
    const write = out.write
    out.write = (text) => {
      if (text.includes('half of it')) resolve()
      return write(text)
    }
  })
  await new Progress(out).step('Fetching', async (tell) => {
    tell('half of it')
    await shown
  })
  const clear = '\r\u001b[K'
  t.ok(out.written[0]?.startsWith(`${clear}Fetching … half of it`))
  t.equal(out.written.at(-1)?.replace(/\d+\.\d s/, 'N s'), `${clear}Fetching: done in N s\n`)
})
