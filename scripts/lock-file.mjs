import { readFileSync } from 'node:fs'
import path from 'node:path'
import semver from 'semver'

/**
 * What would keep package-lock.json from installing elsewhere, as sentences: an optional package of another
 * platform that it does not name (`npm ci` refuses that everywhere), the address of one particular registry,
 * a package that needs a newer Node than we promise.
 */
export function findLockFaults(root) {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'))
  const oldestNode = semver.minVersion(packages[''].engines.node)
  return Object.entries(packages).flatMap(([name, { version, resolved = '', engines = {}, optionalDependencies = {} }]) => {
    const faults = []
    for (const optional of Object.keys(optionalDependencies)) {
      if (!(`${name}/node_modules/${optional}` in packages) && !(`node_modules/${optional}` in packages)) faults.push(`${name} may need ${optional}, which the lock file does not name`)
    }
    if (/^https?:/.test(resolved)) faults.push(`${name} names a registry: ${resolved}`)
    if (engines.node !== undefined && !semver.satisfies(oldestNode, engines.node)) faults.push(`${name} ${version} needs Node ${engines.node}, newer than the ${oldestNode} we promise`)
    return faults
  })
}
