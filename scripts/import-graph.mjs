import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseSync } from 'oxc-parser'

/**
 * What the TypeScript files below `folders` of `root` import, types included:
 * a Map from file (relative to root, `/`) to { imports: [{ specifier, line, target }], environment: [line] }.
 * `target` is the file that a relative import means; `environment` are the lines that read process.env.
 */
export function readImportGraph(root, folders) {
  const files = folders.filter((folder) => existsSync(path.join(root, folder))).flatMap((folder) => typescriptBelow(root, folder))
  return new Map(files.map((file) => [file, readFile(root, file)]))
}

function typescriptBelow(root, folder) {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`
    if (entry.isDirectory()) return typescriptBelow(root, name)
    return /\.tsx?$/.test(name) ? [name] : []
  })
}

function readFile(root, file) {
  const text = readFileSync(path.join(root, file), 'utf8')
  const { program } = parseSync(file, text)
  const lineAt = (offset) => text.slice(0, offset).split('\n').length
  const found = { imports: [], environment: [] }
  walk(program, (node) => {
    const specifier = importedBy(node)
    if (specifier !== undefined) found.imports.push({ specifier, line: lineAt(node.start), target: targetOf(file, specifier) })
    if (readsEnvironment(node)) found.environment.push(lineAt(node.start))
  })
  return found
}

function walk(node, visit) {
  if (Array.isArray(node)) {
    for (const child of node) walk(child, visit)
  } else if (node !== null && typeof node === 'object') {
    if (typeof node.type === 'string') visit(node)
    for (const key in node) walk(node[key], visit)
  }
}

/** Import and export declarations, `import()` of a literal, and `import('…')` in a type. */
function importedBy(node) {
  const source = node.type === 'TSImportEqualsDeclaration' ? node.moduleReference?.expression : node.source
  return typeof source?.value === 'string' ? source.value : undefined
}

function targetOf(file, specifier) {
  return specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : undefined
}

/** `process.env` in any spelling, `const { env } = process`, and `import … from 'node:process'`. */
function readsEnvironment(node) {
  if (node.type === 'ImportDeclaration') return /^(node:)?process$/.test(node.source.value)
  if (node.type === 'MemberExpression') return isProcess(node.object) && (node.property.name ?? node.property.value) === 'env'
  return node.type === 'VariableDeclarator' && isProcess(node.init) && node.id.type === 'ObjectPattern' && node.id.properties.some((property) => property.key?.name === 'env')
}

const isProcess = (node) =>
  (node?.type === 'Identifier' && node.name === 'process') || (node?.type === 'MemberExpression' && node.property.name === 'process')
