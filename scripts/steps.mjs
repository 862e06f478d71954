// What a person sees of the set-up: one line per step with the time it took, a sign of life
// during long ones, and on failure what to do next.

/** A failure that a person can do something about: `advice` says what. */
export class SetupError extends Error {
  constructor(message, advice) {
    super(message)
    this.advice = advice
  }
}

const terminal = process.stdout.isTTY === true
const clearLine = terminal ? '\r\x1b[K' : ''
const running = new Map()
const lifeSignEvery = terminal ? 500 : 10_000

/** Runs `work(progress)`; what `progress(text)` was last told is shown with the time, on a terminal all the while, elsewhere every 10 s. */
export async function step(name, work) {
  const began = Date.now()
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`
  const finish = (outcome) => {
    running.delete(name)
    console.log(`${clearLine}${name}: ${outcome} ${seconds()}`)
  }
  let text = ''
  running.set(name, () => `${name} … ${text}${text === '' ? '' : ', '}${seconds()}`)
  const timer = setInterval(showRunning, lifeSignEvery)
  try {
    const result = await work((latest) => { text = latest })
    finish('done in')
    return result
  } catch (error) {
    finish('failed after')
    throw error
  } finally {
    clearInterval(timer)
  }
}

function showRunning() {
  const line = [...running.values()].map((show) => show()).join('; ')
  if (terminal) process.stdout.write(`${clearLine}${line.slice(0, process.stdout.columns - 1)}`)
  else console.log(line)
}

/** Prints why the set-up stopped and what to do next. The exit code becomes 1. */
export function reportFailure(error) {
  process.exitCode = 1
  if (error instanceof SetupError) {
    console.error(`\n${error.message}`)
    if (error.advice) console.error(`\nWhat to do: ${error.advice}`)
  } else {
    console.error(error)
  }
}
