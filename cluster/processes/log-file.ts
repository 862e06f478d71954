import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import path from 'node:path'

const mostBytes = 16 * 1024 * 1024

/** What a process says, in a file of 16 MiB at most and one older of the same size beside it. A full disk costs lines. */
export class LogFile {
  readonly path: string
  #file: number | null = null
  #bytes = 0

  constructor(folder: string, name: string) {
    this.path = path.join(folder, `${name}.log`)
  }

  write(line: string): void {
    const text = `${line}\n`
    try {
      this.#open()
      this.#bytes += writeSync(this.#file as number, text)
      if (this.#bytes >= mostBytes) this.#turn()
    } catch {
      // The process goes on without.
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }

  #open(): void {
    if (this.#file !== null) return
    mkdirSync(path.dirname(this.path), { recursive: true })
    this.#file = openSync(this.path, 'a', 0o600)
    this.#bytes = fstatSync(this.#file).size
  }

  #turn(): void {
    this.close()
    renameSync(this.path, `${this.path}.1`)
  }
}
