/** How long it takes is told in steps that people think in, so that the number does not flicker. */
export function spokenDuration(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds <= 1) return 'about a second'
  if (seconds < 10) return `about ${seconds} seconds`
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5} seconds`
  const minutes = Math.round(seconds / 60)
  return minutes <= 1 ? 'about a minute' : `about ${minutes} minutes`
}
