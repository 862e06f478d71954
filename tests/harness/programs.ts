import { existsSync } from 'node:fs'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { executable, pathFolders } from '../../cluster/programs/server-programs.ts'
import { k6Program } from '../../load-tests/load/k6-program.ts'

/** CHROME_PATH, a Chromium or Chrome of the system, or the one that `playwright-core install chromium` fetched. */
export function findChromium(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'].map(executable)
  const candidates = [
    process.env['CHROME_PATH'] ?? '',
    ...pathFolders().flatMap((folder) => names.map((name) => path.join(folder, name))),
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    path.join(process.env['ProgramFiles'] ?? 'C:\\Program Files', 'Google', 'Chrome', 'Application', 'chrome.exe'),
    chromium.executablePath()
  ]
  return candidates.find((file) => file !== '' && existsSync(file))
}

/** The k6 of this machine, or one that is built now. Rejects with why there is none. */
export function findK6(): Promise<string> {
  return k6Program(process.env)
}
