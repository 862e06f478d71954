const longest = 60

/** A conversation's title, made from its first message: its first line that says something, cut between words. Never empty. */
export function titleFrom(text: string): string {
  const line = text.split('\n').map(plain).find((candidate) => candidate !== '') ?? 'New conversation'
  const characters = [...line]
  if (characters.length <= longest) return line
  const cut = characters.slice(0, longest - 1).join('')
  const space = cut.lastIndexOf(' ')
  return `${(space > longest / 2 ? cut.slice(0, space) : cut).trimEnd()}…`
}

/** Without Markdown's marks at the line's start, and without control characters. */
function plain(line: string): string {
  return line
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/^\s*(?:#{1,6}\s+|>\s*|[-*+]\s+|\d+[.)]\s+|`{3,}\S*\s*)/u, '')
    .replace(/\s+/gu, ' ')
    .trim()
}
