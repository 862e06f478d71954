/**
 * A conversation as a tree, and the one path through it that is shown. Messages that were not loaded yet may be
 * missing: a message whose parent is missing is where a path ends, for now.
 */

export interface TreeNode {
  readonly id: number
  /** null: a root. */
  readonly parentId: number | null
}

export interface MessageTree<Node extends TreeNode> {
  readonly nodes: ReadonlyMap<number, Node>
  /** Children of each parent, oldest first. The roots are the children of null. */
  readonly children: ReadonlyMap<number | null, readonly Node[]>
  /** The highest id, and so the newest message; null in an empty tree. */
  readonly newest: number | null
}

/** Of nodes with the same id the last one counts. */
export function growTree<Node extends TreeNode>(nodes: Iterable<Node>): MessageTree<Node> {
  const byId = new Map<number, Node>()
  for (const node of nodes) byId.set(node.id, node)
  const children = new Map<number | null, Node[]>()
  let newest: number | null = null
  for (const node of [...byId.values()].sort((one, other) => one.id - other.id)) {
    const siblings = children.get(node.parentId)
    if (siblings === undefined) children.set(node.parentId, [node])
    else siblings.push(node)
    newest = node.id
  }
  return { nodes: byId, children, newest }
}

/** The newest message of those that descend from `id`, itself included. `id` where nothing descends from it. */
export function newestBelow<Node extends TreeNode>(tree: MessageTree<Node>, id: number): number {
  let newest = id
  const open = [id]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const child of tree.children.get(at) ?? []) {
      if (child.id > newest) newest = child.id
      // Ids rise from parent to child, so that no path comes round to where it began.
      if (child.id > at) open.push(child.id)
    }
  }
  return newest
}

/**
 * The path that is shown: from its first loaded message down to the newest message below `chosen`. Without a choice,
 * or where the chosen message is gone, down to the newest of all.
 */
export function shownPath<Node extends TreeNode>(tree: MessageTree<Node>, chosen: number | null): readonly Node[] {
  const from = chosen !== null && tree.nodes.has(chosen) ? newestBelow(tree, chosen) : tree.newest
  const path: Node[] = []
  let node = from === null ? undefined : tree.nodes.get(from)
  while (node !== undefined) {
    path.push(node)
    const parentId: number | null = node.parentId
    node = parentId !== null && parentId < node.id ? tree.nodes.get(parentId) : undefined
  }
  return path.reverse()
}

export interface Branches {
  /** 1 is the oldest. */
  readonly number: number
  readonly count: number
  readonly previousId: number | null
  readonly nextId: number | null
}

const onlyBranch: Branches = { number: 1, count: 1, previousId: null, nextId: null }

/** Where a message stands among the messages that have the same parent. */
export function branchesAt<Node extends TreeNode>(tree: MessageTree<Node>, node: Node): Branches {
  const siblings = tree.children.get(node.parentId) ?? []
  if (siblings.length < 2) return onlyBranch
  const at = siblings.findIndex(({ id }) => id === node.id)
  return { number: at + 1, count: siblings.length, previousId: siblings[at - 1]?.id ?? null, nextId: siblings[at + 1]?.id ?? null }
}
