/** A schema as those read it who describe it to people. */
export interface SchemaKeywords {
  readonly type?: string
  readonly const?: string | number | boolean | null
  readonly enum?: readonly unknown[]
  readonly description?: string
  readonly anyOf?: readonly SchemaKeywords[]
  readonly properties?: Readonly<Record<string, SchemaKeywords>>
  readonly required?: readonly string[]
  readonly items?: SchemaKeywords
  readonly minItems?: number
  readonly maxItems?: number
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
}

/** Of a union the description may stand at one of its branches. Empty where there is none. */
export function descriptionOf({ description, anyOf }: SchemaKeywords): string {
  return description ?? anyOf?.find((branch) => branch.description !== undefined)?.description ?? ''
}
