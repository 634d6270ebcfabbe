import { createInterface } from 'node:readline/promises'
import type { Clock } from '../../lib/index.ts'
import { printable, printableJson } from '../../lib/printable.ts'
import { Interrupted, NotConfirmed } from './exit-codes.ts'

/** Where a command reads and writes, and what surrounds it. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly clock: Clock
  /** Aborts when the user wants it to end (SIGINT, SIGTERM). */
  readonly signal: AbortSignal
}

/**
 * What a command tells: lines for people, or one JSON value a line for machines. What RPs, clients and users have said is
 * in it: nothing of it reaches the terminal as a control character.
 */
export class Output {
  readonly #terminal: Terminal
  readonly #json: boolean
  #progress = 0

  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal
    this.#json = json
  }

  get isJson(): boolean {
    return this.#json
  }

  /** One result: `text` for people, `value` for machines. */
  result(value: unknown, text: () => string): void {
    this.clearProgress()
    this.#terminal.stdout.write(`${this.#json ? printableJson(String(JSON.stringify(value))) : printable(text())}\n`)
  }

  /**
   * A list, an item at a time; `none` where there is nothing.
   *
   * @param limit - at most so many are in it: there may be others
   * @throws Interrupted: it may not be the whole list
   */
  async list<T>(
    items: AsyncIterable<T> | Iterable<T>,
    text: (item: T) => string,
    none: string,
    limit: number = Number.POSITIVE_INFINITY,
  ): Promise<number> {
    let count = 0
    for await (const item of items) {
      count += 1
      this.result(item, () => text(item))
    }
    // What reads the list ends without a word where the user wants it to end.
    if (this.#terminal.signal.aborted) throw new Interrupted()
    if (count === 0) this.note(none)
    if (count >= limit) this.note(`There may be others: --limit is ${limit}.`)
    return count
  }

  /** For people alone, beside the results. */
  note(text: string): void {
    this.clearProgress()
    if (!this.#json) this.#terminal.stderr.write(`${printable(text)}\n`)
  }

  /** How far it got: on a terminal, in one line that is written over. */
  progress(text: string): void {
    if (this.#json || !this.#terminal.stderr.isTTY) return
    const line = printable(text)
    this.#terminal.stderr.write(`\r${line.padEnd(this.#progress)}`)
    this.#progress = line.length
  }

  /** Before something else is written to the terminal. */
  clearProgress(): void {
    if (this.#progress > 0) this.#terminal.stderr.write(`\r${' '.repeat(this.#progress)}\r`)
    this.#progress = 0
  }
}

/**
 * Asks before something that cannot be undone.
 *
 * @throws NotConfirmed: no, or there is nobody to ask
 */
export async function confirm(terminal: Terminal, what: string, isConfirmed: boolean): Promise<void> {
  if (isConfirmed) return
  if (!terminal.stdin.isTTY || !terminal.stderr.isTTY)
    throw new NotConfirmed(`${what}: nothing was done, since there is nobody to ask. Say --yes`)
  const prompt = createInterface({ input: terminal.stdin, output: terminal.stderr })
  try {
    const closed = new Promise<string>((resolve) => prompt.once('close', () => resolve('')))
    const asked = prompt.question(`${printable(what)}. Go on? [y/N] `, { signal: terminal.signal }).catch(() => '')
    const answer = await Promise.race([asked, closed])
    if (!/^y(es)?$/i.test(answer.trim())) throw new NotConfirmed('nothing was done')
  } finally {
    prompt.close()
  }
}

/** A moment, for people. */
export function moment(ms: number | undefined): string {
  return ms === undefined ? 'never' : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** How many, for people: `1 session`, `3 sessions`. */
export function counted(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** The same of what is counted to `most` at most: `1 session`, `100 or more sessions`. */
export function countedTo(most: number, count: number, one: string, many: string = `${one}s`): string {
  return count < most ? counted(count, one, many) : `${most} or more ${many}`
}

/** A time, for people: `3 d 4 h`, `12 s`. */
export function duration(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const
  const parts: string[] = []
  let left = Math.max(0, ms)
  for (const [unit, size] of units) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) parts.push(`${count} ${unit}`)
    if (parts.length === 2) break
  }
  return parts.join(' ') || '0 s'
}
