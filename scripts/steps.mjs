// What a person sees of the set-up: one line per step with the time it took, a sign of life
// during long ones, and on failure what to do next.

/** A failure that a person can do something about: `advice` says what. */
export class SetupError extends Error {
  constructor(message, advice) {
    super(message)
    this.advice = advice
  }
}

let output = process.stdout
const running = new Map()

/** Elsewhere than on standard output. Before the first step. */
export function showStepsOn(stream) {
  output = stream
}

/** Runs `work(progress)`; what `progress(text)` was last told is shown with the time, on a terminal all the while, elsewhere every 10 s. */
export async function step(name, work) {
  const began = Date.now()
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`
  const finish = (outcome) => {
    running.delete(name)
    output.write(`${output.isTTY ? '\r\x1b[K' : ''}${name}: ${outcome} ${seconds()}\n`)
  }
  let text = ''
  running.set(name, () => `${name} … ${text}${text === '' ? '' : ', '}${seconds()}`)
  const timer = setInterval(showRunning, output.isTTY ? 500 : 10_000)
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
  output.write(output.isTTY ? `\r\x1b[K${line.slice(0, output.columns - 1)}` : `${line}\n`)
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
