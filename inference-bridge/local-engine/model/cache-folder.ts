import path from 'node:path'

export interface UserFolders {
  readonly platform: NodeJS.Platform
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Where a user's programs may keep what can be fetched again: models lie in a folder of ours within. */
export function defaultCacheFolder({ platform, home, environment }: UserFolders): string {
  return path.join(cacheRoot(platform, home, environment), 'chatterbot', 'models')
}

function cacheRoot(platform: NodeJS.Platform, home: string, environment: UserFolders['environment']): string {
  if (platform === 'win32') return environment['LOCALAPPDATA'] ?? path.join(home, 'AppData', 'Local')
  if (platform === 'darwin') return path.join(home, 'Library', 'Caches')
  const configured = environment['XDG_CACHE_HOME']
  // The XDG specification has relative paths ignored.
  return configured !== undefined && path.isAbsolute(configured) ? configured : path.join(home, '.cache')
}
