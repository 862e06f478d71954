import { exitCodes, StartupFault } from '../../platform/lifecycle/startup-fault.ts'

const faults = {
  folder_in_use: { exitCode: exitCodes.config, hint: 'Stop that process, or choose another data folder.' },
  folder_not_writable: { exitCode: exitCodes.config, hint: 'Give this user the right to write there, or choose another data folder.' },
  folder_of_other_version: { exitCode: exitCodes.config, hint: 'Use the release that made it, or choose another data folder.' },
  folder_damaged: { exitCode: exitCodes.config, hint: 'Put back a copy of the folder; or move it away, to begin with an empty one.' },
  did_not_start: { exitCode: exitCodes.unavailable, hint: 'Try again; if it stays so, the log says more.' },
} as const satisfies Record<string, { readonly exitCode: number; readonly hint: string }>

export type DataFolderErrorCode = keyof typeof faults

/** Why the embedded database cannot run on its folder. */
export class DataFolderError extends StartupFault {
  readonly code: DataFolderErrorCode
  /** Of `folder_in_use`: who uses it, where that is known. */
  readonly holderPid: number | null

  constructor(code: DataFolderErrorCode, message: string, options: { readonly holderPid?: number | null; readonly cause?: unknown } = {}) {
    super(message, faults[code].hint, { exitCode: faults[code].exitCode, ...(options.cause === undefined ? {} : { cause: options.cause }) })
    this.code = code
    this.holderPid = options.holderPid ?? null
  }
}

export function isDataFolderErrorCode(code: string): code is DataFolderErrorCode {
  return Object.hasOwn(faults, code)
}
