import { type Clock, systemClock } from '../../lib/clock.ts'
import { JournalCorruptError, StoreUnavailableError } from '../../lib/errors.ts'
import { inTime } from '../../lib/in-time.ts'
import type { Commit } from '../../lib/log/commit.ts'
import { type Commits, withoutClaims } from '../memory/commits.ts'
import type { Entry, StoredCommit } from '../memory/journal.ts'
import type { JournalReaders } from './file-journal.ts'
import { CHUNK_BYTES, type JournalFile, readWhole } from './journal-file.ts'
import { decodeLine, type LinePlace } from './journal-format.ts'
import { Places } from './places.ts'

/**
 * So many bytes of commits are remembered, as they are in the journal: those asked for last. In memory they take about
 * twice as much.
 */
const REMEMBERED_BYTES = 16 * 1024 * 1024

/** What lies between two commits is read with them, up to so many bytes: entries of other kinds. */
const GAP_BYTES = 16 * 1024

/** How long a reader waits for the disk, in milliseconds. */
const READ_TIMEOUT_MS = 9_000

interface Remembered {
  readonly commit: Commit
  readonly bytes: number
}

/**
 * The commits of a journal: where each one's line is, in 20 bytes, and those that were asked for last. All others are read
 * from the file, and checked, when somebody wants them.
 */
export class CommitsInJournal implements Commits, JournalReaders {
  readonly #name: string
  readonly #clock: Clock
  #places: Places
  /** By position. Those used last come last. */
  readonly #remembered = new Map<number, Remembered>()
  #bytes = 0
  readonly #reading = new Set<Promise<unknown>>()
  /** Reads that the disk has not answered in time. */
  #hanging = 0

  /** @param name - the file's, for messages */
  constructor(name: string, file: JournalFile, clock: Clock = systemClock) {
    this.#name = name
    this.#places = new Places(file)
    this.#clock = clock
  }

  /** What the commits take in the file. */
  get bytes(): number {
    return this.#places.bytes
  }

  /** From now on they are read from another file, which holds the same ones but for those that were removed. */
  moveTo(places: Places): void {
    this.#places = places
  }

  add(commit: StoredCommit, bytes: number): void {
    this.#remember(withoutClaims(commit), bytes)
  }

  /** The line of the commit is in the file, and durable. */
  placed(position: number, place: LinePlace): void {
    this.#places.add(position, place)
  }

  /**
   * @throws StoreUnavailableError (`STORE_UNAVAILABLE`): the disk does not answer
   * @throws JournalCorruptError (`JOURNAL_CORRUPT`): the file is not what it was when it was opened
   */
  at(positions: readonly number[], isPassing: boolean): Commit[] | Promise<Commit[]> {
    const found = new Map<number, Commit>()
    const missing: number[] = []
    for (const position of positions) {
      const commit = this.#recall(position)
      if (commit) found.set(position, commit)
      else missing.push(position)
    }
    const inOrder = (): Commit[] => positions.map((position) => found.get(position) as Commit)
    if (missing.length === 0) return inOrder()
    return this.#underWay(this.#read(missing, found, isPassing)).then(inOrder)
  }

  #underWay<T>(reading: Promise<T>): Promise<T> {
    const forget = (): unknown => this.#reading.delete(reading)
    this.#reading.add(reading)
    reading.then(forget, forget)
    return reading
  }

  async readsUnderWay(): Promise<void> {
    await Promise.allSettled([...this.#reading])
  }

  async stored(positions: readonly number[]): Promise<StoredCommit[]> {
    const found: StoredCommit[] = []
    await this.#underWay(this.#readLines(positions, (_, entry) => found.push(entry)))
    return found
  }

  forget(positions: readonly number[]): void {
    for (const position of positions) {
      this.#bytes -= this.#remembered.get(position)?.bytes ?? 0
      this.#remembered.delete(position)
    }
  }

  async idle(): Promise<boolean> {
    while (this.#reading.size > 0) await Promise.allSettled(this.#reading)
    return this.#hanging === 0
  }

  #read(missing: readonly number[], found: Map<number, Commit>, isPassing: boolean): Promise<void> {
    return this.#readLines(
      missing.toSorted((a, b) => a - b),
      (position, entry, length) => {
        const commit = withoutClaims(entry)
        found.set(position, commit)
        if (!isPassing) this.#remember(commit, length)
      },
    )
  }

  /** Tells of each commit. All of them come from the same file, whatever takes its place meanwhile. */
  async #readLines(
    ascending: readonly number[],
    tell: (position: number, commit: StoredCommit, length: number) => void,
  ): Promise<void> {
    const places = this.#places
    for (const run of runsOf(ascending, places)) {
      const start = places.of(run[0] as number).offset
      const last = places.of(run.at(-1) as number)
      const bytes = await this.#bytesAt(places.file, start, last.offset + last.length - start)
      for (const position of run) {
        const place = places.of(position)
        const from = place.offset - start
        tell(position, this.#decode(bytes.subarray(from, from + place.length), position, place), place.length)
      }
    }
  }

  async #bytesAt(file: JournalFile, offset: number, length: number): Promise<Buffer> {
    let bytes: Buffer | undefined
    const reading = readWhole(file, offset, length).then((read) => {
      bytes = read
    })
    try {
      await inTime(reading, this.#clock, READ_TIMEOUT_MS)
    } catch (cause) {
      throw new StoreUnavailableError(`${this.#name} cannot be read: ${(cause as Error).message}`, { cause })
    }
    if (!bytes) {
      const answered = (): unknown => this.#hanging--
      this.#hanging++
      void reading.then(answered, answered)
      throw new StoreUnavailableError(`${this.#name}: the disk has not answered for ${READ_TIMEOUT_MS / 1_000} s`)
    }
    return bytes
  }

  #decode(line: Buffer, position: number, { offset, crcBefore }: LinePlace): StoredCommit {
    const entry = decodeLine(line, crcBefore)?.value as Entry | undefined
    if (entry?.kind !== 'commit' || entry.commit.position !== position) {
      throw new JournalCorruptError(
        `${this.#name}: the commit of position ${position}, at byte ${offset}, is not what it was when the store was opened. ` +
          'See to the disk, and restore the file from a backup',
      )
    }
    return entry.commit
  }

  #recall(position: number): Commit | undefined {
    const remembered = this.#remembered.get(position)
    if (!remembered) return undefined
    this.#remembered.delete(position)
    this.#remembered.set(position, remembered)
    return remembered.commit
  }

  #remember(commit: Commit, bytes: number): void {
    const { position } = commit
    this.#bytes += bytes - (this.#remembered.get(position)?.bytes ?? 0)
    this.#remembered.delete(position)
    this.#remembered.set(position, { commit, bytes })
    for (const [oldest, { bytes: freed }] of this.#remembered) {
      // One that is not in the file yet is nowhere else.
      if (this.#bytes <= REMEMBERED_BYTES || oldest > this.#places.last) return
      this.#remembered.delete(oldest)
      this.#bytes -= freed
    }
  }
}

/** Positions whose lines are near each other are read at once, about `CHUNK_BYTES` of them. */
function* runsOf(ascending: readonly number[], places: Places): Generator<readonly number[]> {
  let run: number[] = []
  let start = 0
  let end = 0
  for (const position of ascending) {
    const { offset, length } = places.of(position)
    if (run.length > 0 && (offset - end > GAP_BYTES || offset + length - start > CHUNK_BYTES)) {
      yield run
      run = []
    }
    if (run.length === 0) start = offset
    run.push(position)
    end = offset + length
  }
  if (run.length > 0) yield run
}
