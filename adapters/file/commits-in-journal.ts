import { type Clock, systemClock } from '../../lib/clock.ts'
import { JournalCorruptError, StoreUnavailableError } from '../../lib/errors.ts'
import { inTime } from '../../lib/in-time.ts'
import type { Commit } from '../../lib/log/commit.ts'
import { type Commits, withoutClaims } from '../memory/commits.ts'
import { withRoomFor } from '../memory/growing.ts'
import type { Entry, StoredCommit } from '../memory/journal.ts'
import type { JournalReaders } from './file-journal.ts'
import { CHUNK_BYTES, type JournalFile, readWhole } from './journal-file.ts'
import { decodeLine, type LinePlace } from './journal-format.ts'

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
  readonly #file: JournalFile
  readonly #clock: Clock
  #offsets = new Float64Array(64)
  #lengths = new Uint32Array(64)
  #crcs = new Uint32Array(64)
  #placed = 0
  /** By position. Those used last come last. */
  readonly #remembered = new Map<number, Remembered>()
  #bytes = 0
  readonly #reading = new Set<Promise<unknown>>()
  /** Reads that the disk has not answered in time. */
  #hanging = 0

  /** @param name - the file's, for messages */
  constructor(name: string, file: JournalFile, clock: Clock = systemClock) {
    this.#name = name
    this.#file = file
    this.#clock = clock
  }

  add(commit: StoredCommit, bytes: number): void {
    this.#remember(withoutClaims(commit), bytes)
  }

  /** The line of the commit behind the last one is in the file, and durable. */
  placed({ offset, length, crcBefore }: LinePlace): void {
    const index = this.#placed++
    this.#offsets = withRoomFor(this.#offsets, this.#placed)
    this.#lengths = withRoomFor(this.#lengths, this.#placed)
    this.#crcs = withRoomFor(this.#crcs, this.#placed)
    this.#offsets[index] = offset
    this.#lengths[index] = length
    this.#crcs[index] = crcBefore
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
    const reading = this.#read(missing, found, isPassing)
    const forget = (): unknown => this.#reading.delete(reading)
    this.#reading.add(reading)
    reading.then(forget, forget)
    return reading.then(inOrder)
  }

  async idle(): Promise<boolean> {
    while (this.#reading.size > 0) await Promise.allSettled(this.#reading)
    return this.#hanging === 0
  }

  async #read(missing: readonly number[], found: Map<number, Commit>, isPassing: boolean): Promise<void> {
    for (const run of this.#runsOf(missing.toSorted((a, b) => a - b))) {
      const start = this.#placeOf(run[0] as number).offset
      const last = this.#placeOf(run.at(-1) as number)
      const bytes = await this.#bytesAt(start, last.offset + last.length - start)
      for (const position of run) {
        const { offset, length } = this.#placeOf(position)
        const commit = this.#decode(bytes.subarray(offset - start, offset - start + length), position)
        found.set(position, commit)
        if (!isPassing) this.#remember(commit, length)
      }
    }
  }

  /** Positions whose lines are near each other are read at once, about `CHUNK_BYTES` of them. */
  *#runsOf(ascending: readonly number[]): Generator<readonly number[]> {
    let run: number[] = []
    let start = 0
    let end = 0
    for (const position of ascending) {
      const { offset, length } = this.#placeOf(position)
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

  async #bytesAt(offset: number, length: number): Promise<Buffer> {
    let bytes: Buffer | undefined
    const reading = readWhole(this.#file, offset, length).then((read) => {
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

  #decode(line: Buffer, position: number): Commit {
    const { offset, crcBefore } = this.#placeOf(position)
    const entry = decodeLine(line, crcBefore)?.value as Entry | undefined
    if (entry?.kind !== 'commit' || entry.commit.position !== position) {
      throw new JournalCorruptError(
        `${this.#name}: the commit of position ${position}, at byte ${offset}, is not what it was when the store was opened. ` +
          'See to the disk, and restore the file from a backup',
      )
    }
    return withoutClaims(entry.commit)
  }

  #placeOf(position: number): LinePlace {
    const index = position - 1
    return {
      offset: this.#offsets[index] as number,
      length: this.#lengths[index] as number,
      crcBefore: this.#crcs[index] as number,
    }
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
      if (this.#bytes <= REMEMBERED_BYTES || oldest > this.#placed) return
      this.#remembered.delete(oldest)
      this.#bytes -= freed
    }
  }
}
