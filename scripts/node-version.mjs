// Runs on any Node that knows ES modules, so that an old one gets a sentence and not a syntax error.

const oldest = [20, 19]

export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return
  console.error(
    `ChatterBot needs Node ${oldest.join('.')} or later; this is ${process.version} (${process.execPath}).\n` +
      'Install Node 20, or a later LTS release, from https://nodejs.org or with your version manager (nvm install 20), then run the command again.'
  )
  process.exit(1)
}
