/** Reads the fields of a JSON body as vLLM's schema does: leniently by type, silently for names that it doesn't know. */
import { invalidFields, type FieldFault } from './error-bodies.ts';

function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  if (typeof value === 'object') return `{${Object.entries(value).map(([key, entry]) => `'${key}': ${pythonRepr(entry)}`).join(', ')}}`;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : '...';
}

export class RequestFields {
  readonly #body: Record<string, unknown>;
  readonly #path: string;
  readonly #faults: FieldFault[];

  constructor(body: Record<string, unknown>, path = 'body', faults: FieldFault[] = []) {
    this.#body = body;
    this.#path = path;
    this.#faults = faults;
  }

  /** @throws VllmError 400 for a body that is not a JSON object. */
  static parse(bytes: Buffer): RequestFields {
    let body: unknown;
    try {
      body = JSON.parse(bytes.toString('utf8'));
    } catch {
      throw invalidFields([{ type: 'json_invalid', loc: 'body.0', msg: 'JSON decode error', input: '{}' }]);
    }
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw invalidFields([{ type: 'model_attributes_type', loc: 'body', msg: 'Input should be a valid dictionary or object to extract fields from', input: pythonRepr(body) }]);
    }
    return new RequestFields(body as Record<string, unknown>);
  }

  /** To be called when all fields were read. @throws VllmError 400 that lists every field of a wrong type. */
  check(): void {
    if (this.#faults.length > 0) throw invalidFields(this.#faults);
  }

  #fault(name: string, type: string, msg: string): undefined {
    this.#faults.push({ type, loc: `${this.#path}.${name}`, msg, input: pythonRepr(this.#body[name]) });
    return undefined;
  }

  has(name: string): boolean {
    return this.#body[name] !== undefined && this.#body[name] !== null;
  }

  /** The value as it came, for fields of several types. */
  raw(name: string): unknown {
    return this.#body[name] ?? undefined;
  }

  integer(name: string): number | undefined {
    const number = this.number(name, 'int', 'integer');
    if (number !== undefined && !Number.isSafeInteger(number)) {
      return this.#fault(name, 'int_from_float', 'Input should be a valid integer, got a number with a fractional part');
    }
    return number;
  }

  number(name: string, kind: 'int' | 'float' = 'float', word: 'integer' | 'number' = 'number'): number | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === 'number') return value;
    if (typeof value === 'boolean') return Number(value);
    if (typeof value !== 'string') return this.#fault(name, `${kind}_type`, `Input should be a valid ${word}`);
    const parsed = value.trim() === '' ? Number.NaN : Number(value);
    if (Number.isFinite(parsed)) return parsed;
    const verb = kind === 'int' ? 'as an integer' : 'as a number';
    return this.#fault(name, `${kind}_parsing`, `Input should be a valid ${word}, unable to parse string ${verb}`);
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.raw(name);
    if (value === undefined) return fallback;
    if (typeof value === 'boolean') return value;
    if (value === 0 || value === 1) return value === 1;
    this.#fault(name, 'bool_type', 'Input should be a valid boolean');
    return fallback;
  }

  string(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === 'string') return value;
    return this.#fault(name, 'string_type', 'Input should be a valid string');
  }

  object(name: string): RequestFields | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value === 'object' && !Array.isArray(value)) {
      return new RequestFields(value as Record<string, unknown>, `${this.#path}.${name}`, this.#faults);
    }
    return this.#fault(name, 'dict_type', 'Input should be a valid dictionary');
  }

  /** A list of objects; a fault, and an empty list, if it is missing or something else. */
  objects(name: string): RequestFields[] {
    const value = this.raw(name);
    if (value === undefined) {
      this.#faults.push({ type: 'missing', loc: `${this.#path}.${name}`, msg: 'Field required', input: pythonRepr(this.#body) });
      return [];
    }
    if (!Array.isArray(value)) {
      this.#fault(name, 'list_type', 'Input should be a valid list');
      return [];
    }
    return value.flatMap((entry, index) => {
      const path = `${this.#path}.${name}.${index}`;
      if (typeof entry === 'object' && entry !== null && !Array.isArray(entry)) return [new RequestFields(entry as Record<string, unknown>, path, this.#faults)];
      this.#faults.push({ type: 'dict_type', loc: path, msg: 'Input should be a valid dictionary', input: pythonRepr(entry) });
      return [];
    });
  }

  strings(name: string): string[] {
    const value = this.raw(name);
    if (value === undefined) return [];
    if (typeof value === 'string') return [value];
    if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value;
    this.#fault(name, 'list_type', 'Input should be a valid list');
    return [];
  }

  /** Undefined, without a fault, for what is not a list of integers. */
  integers(name: string): number[] | undefined {
    const value = this.raw(name);
    return Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry)) ? value : undefined;
  }
}
