/** The logs and transcripts of a run, kept for whoever looks into its findings. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { EpisodeResult } from './episode.ts'
import { describe } from './report.ts'

export class KeptRun {
  readonly folder: string

  constructor(seed: number) {
    this.folder = mkdtempSync(path.join(os.tmpdir(), `chatterbot-chaos-${seed}-`))
  }

  /** A line of a process of the suite's own; the cluster's have files of their own below the folder. */
  log(node: string, line: string): void {
    appendFileSync(path.join(this.folder, `${node}.log`), `${line}\n`)
  }

  /** All the evidence of an episode that found something. */
  keep(name: string, { evidence, findings }: EpisodeResult): void {
    const folder = path.join(this.folder, name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(path.join(folder, 'findings.txt'), `${findings.map(describe).join('\n')}\n`)
    writeFileSync(path.join(folder, 'evidence.json'), JSON.stringify({ findings, evidence }))
  }

  /** Of a run that found nothing. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
