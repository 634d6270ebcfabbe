import { appendFileSync } from 'node:fs'
import { rm, truncate, writeFile } from 'node:fs/promises'
import type { Clock, Fault, VerifyResume } from '../../lib/index.ts'
import { UsageError } from './exit-codes.ts'
import { type Line, linesOf } from './lines.ts'

const HEADER = JSON.stringify({ state: 'oidc-provider-eventstore verify', version: 1 })

/** So often it is written, in milliseconds: what was done since is done again. */
const EVERY_MS = 1_000

/** So many faults wait to be written at most, and those of one segment. */
const MOST_WAITING = 1_000

type Written = { readonly fault: Fault } | { readonly resume: VerifyResume }

/**
 * How far a run of `verify` has got, and what it has found, in a file of JSON lines that only grows: whoever is killed goes
 * on from the last line that says how far. What is behind that one is cut off, since it will be found again.
 */
export class VerifyState {
  /** Where to go on; undefined: at the beginning. */
  readonly resume: VerifyResume | undefined
  readonly #file: string
  readonly #clock: Clock
  #waiting: Fault[] = []
  #writtenAt: number | undefined

  /** Opens the file, or makes it. @throws UsageError: it is something else, is damaged, or cannot be read or written */
  static async open(file: string, clock: Clock): Promise<VerifyState> {
    try {
      await writeFile(file, `${HEADER}\n`, { flag: 'wx', mode: 0o600 })
      return new VerifyState(file, clock, undefined)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(file, cause)
    }
    let resume: VerifyResume | undefined
    let end = 0
    for await (const line of linesOf(file)) {
      if (line.number === 1 && !(line.isWhole ? line.text === HEADER : HEADER.startsWith(line.text)))
        throw new UsageError(`${file} is no state of a run of verify: it is left as it is`)
      if (!line.isWhole) break
      const written = line.number === 1 ? undefined : writtenIn(line, file)
      if (written && 'resume' in written) resume = written.resume
      if (line.number === 1 || (written && 'resume' in written)) end = line.end
    }
    // Without a whole header: whoever made the file was killed at once.
    await (end === 0 ? writeFile(file, `${HEADER}\n`) : truncate(file, end)).catch((cause: unknown) => {
      throw unwritable(file, cause)
    })
    return new VerifyState(file, clock, resume)
  }

  private constructor(file: string, clock: Clock, resume: VerifyResume | undefined) {
    this.#file = file
    this.#clock = clock
    this.resume = resume
  }

  /** What was found before. */
  async *faults(): AsyncGenerator<Fault, void> {
    for await (const line of linesOf(this.#file)) {
      const written = line.number === 1 ? undefined : writtenIn(line, this.#file)
      if (written && 'fault' in written) yield written.fault
    }
  }

  found(fault: Fault): void {
    this.#waiting.push(fault)
  }

  /** Everything that was found up to here was told. */
  reached(resume: VerifyResume): void {
    const now = this.#clock.monotonic()
    const isDue = this.#writtenAt === undefined || now - this.#writtenAt >= EVERY_MS
    if (!isDue && this.#waiting.length < MOST_WAITING) return
    this.#writtenAt = now
    this.write(resume)
  }

  /** The same, at once. */
  write(resume: VerifyResume): void {
    const lines: Written[] = [...this.#waiting.map((fault) => ({ fault })), { resume }]
    this.#waiting = []
    try {
      appendFileSync(this.#file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    } catch (cause) {
      throw unwritable(this.#file, cause)
    }
  }

  /** The run is done: the next one begins anew. */
  async remove(): Promise<void> {
    await rm(this.#file, { force: true })
  }
}

/** @throws UsageError: somebody else has written it */
function writtenIn({ text, number }: Line, file: string): Written {
  try {
    const { fault, resume } = Object(JSON.parse(text))
    if (isResume(Object(resume))) return { resume }
    if (isFault(Object(fault))) return { fault }
  } catch {} // it is no JSON
  throw new UsageError(`${file} is damaged at line ${number}: remove it, and begin anew`)
}

/** Whether a run can count on from it; whether it is of this log, verifyLog() says. */
function isResume({ at, commits, tombstones, byCode }: Record<string, unknown>): boolean {
  const counts = [at, commits, tombstones, ...Object.values(Object(byCode))]
  return (
    typeof byCode === 'object' &&
    byCode !== null &&
    counts.every((one) => Number.isSafeInteger(one) && Number(one) >= 0)
  )
}

function isFault({ code, position, what }: Record<string, unknown>): boolean {
  return typeof code === 'string' && typeof position === 'number' && typeof what === 'string'
}

function unwritable(file: string, cause: unknown): UsageError {
  return new UsageError(`${file} cannot be written: ${(cause as NodeJS.ErrnoException).code}`, { cause })
}
