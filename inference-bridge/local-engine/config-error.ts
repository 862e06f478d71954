/**
 * Faults that no restart mends: somebody has to change a setting, a file or the network. The process reports them on
 * stdout and exits with `configErrorExitCode`.
 */
export type EngineConfigErrorCode =
  /** The options are not of the right form. */
  | 'options_invalid'
  /** The configured model file does not exist. */
  | 'model_path_missing'
  /** The model file is not what it should be. */
  | 'model_damaged'
  /** A sound model of a kind that the engine does not know. */
  | 'model_unsupported'
  /** No source gave the model. */
  | 'model_unreachable'
  /** The cache folder cannot be written. */
  | 'model_cache_unwritable'
  /** Another process listens on the port. */
  | 'port_in_use'

export class EngineConfigError extends Error {
  override readonly name = 'EngineConfigError'
  readonly code: EngineConfigErrorCode

  constructor(code: EngineConfigErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** EX_CONFIG of sysexits.h. */
export const configErrorExitCode = 78
