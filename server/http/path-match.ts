/** Which of the paths of the API an address is, by its segments. A literal segment goes before a parameter. */
export interface PathMatch<T> {
  readonly value: T
  /** Segments by parameter, as they stand in the address. */
  readonly params: Readonly<Record<string, string>>
}

interface Node<T> {
  readonly literals: Map<string, Node<T>>
  parameter: { readonly name: string; readonly node: Node<T> } | null
  value: T | undefined
}

export class PathTable<T> {
  readonly #root: Node<T> = node()

  /** What stands at this path template; `make` where nothing does yet. */
  at(template: string, make: () => T): T {
    let current = this.#root
    for (const segment of segments(template)) {
      if (segment.startsWith('{') && segment.endsWith('}')) {
        const name = segment.slice(1, -1)
        current.parameter ??= { name, node: node() }
        if (current.parameter.name !== name) throw new Error(`${template}: the parameter is called ${current.parameter.name} elsewhere`)
        current = current.parameter.node
      } else {
        const next = current.literals.get(segment) ?? node<T>()
        current.literals.set(segment, next)
        current = next
      }
    }
    current.value ??= make()
    return current.value
  }

  match(path: string): PathMatch<T> | null {
    const params: Record<string, string> = {}
    let current = this.#root
    for (const segment of segments(path)) {
      const literal = current.literals.get(segment)
      if (literal !== undefined) {
        current = literal
      } else if (current.parameter !== null && segment !== '') {
        params[current.parameter.name] = segment
        current = current.parameter.node
      } else {
        return null
      }
    }
    return current.value === undefined ? null : { value: current.value, params }
  }
}

function segments(path: string): readonly string[] {
  return path.split('/').slice(1)
}

function node<T>(): Node<T> {
  return { literals: new Map(), parameter: null, value: undefined }
}
