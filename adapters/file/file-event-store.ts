import { randomBytes } from 'node:crypto'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../lib/clock.ts'
import { OptionInvalidError, StoreRefusedError, StoreUnavailableError } from '../../lib/errors.ts'
import { assertKnownOptions } from '../../lib/known-options.ts'
import { componentLogger, consoleLogger, type Logger } from '../../lib/logger.ts'
import { KeyRing, type Keys } from '../../lib/secrets/key-ring.ts'
import { MemoryEventStore, type MemoryOptions } from '../memory/memory-event-store.ts'
import { CommitsInJournal } from './commits-in-journal.ts'
import { FileJournal } from './file-journal.ts'
import { createFile, createFolder, isMissing, refusingSystemErrors, syncFolder } from './folder.ts'
import { FolderLock } from './folder-lock.ts'
import { chunksOf } from './journal-file.ts'
import { encodeHeader } from './journal-format.ts'
import { JournalReader } from './journal-reader.ts'
import { recoverEnd } from './journal-recovery.ts'
import { JournalReplacements } from './journal-replacements.ts'
import { loadOrCreateKeys } from './key-file.ts'

/** How to open the embedded store. */
export interface FileOptions {
  /** Keys for hashing ids and sealing payloads. Default: `keys.json` in the folder, created at first use. */
  readonly keys?: Keys
  /**
   * Receives a warning when an incomplete batch was cut off the end of the journal, and when the journal cannot be written
   * anew. Default: `consoleLogger`.
   */
  readonly logger?: Logger
  readonly clock?: Clock
}

const JOURNAL = 'journal.log'

/**
 * The embedded store: an index and what is to do in memory, and every change in an append-only journal before it is
 * acknowledged. For one process on a local disk. The journal is written anew when most of it is not needed any more. It survives `kill -9` and loss of power, whichever pages of the last write
 * reached the disk. It reads the whole journal in `open`. In memory it holds what finds and decides on commits, in about
 * 100 bytes for each, and those that were asked for last; the others are read from the journal when somebody wants them.
 */
export class FileEventStore extends MemoryEventStore {
  readonly #lock: FolderLock
  #closed: Promise<void> | undefined

  /**
   * Opens the store in a folder, which is created if it does not exist. An incomplete batch at the end of the journal,
   * which was never acknowledged, is cut off. Any other damage is an error, and the journal is left unchanged.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`), KeysInvalidError (`KEYS_INVALID`)
   * @throws FolderHeldError (`FOLDER_HELD`): another process has the folder open
   * @throws StoreRefusedError (`STORE_REFUSED`): the folder cannot be created or written to, or its journal is a symbolic
   *   link
   * @throws StoreUnavailableError (`STORE_UNAVAILABLE`): the disk is full
   * @throws JournalCorruptError (`JOURNAL_CORRUPT`), SchemaNewerError (`SCHEMA_NEWER`)
   * @throws KeyUnknownError (`KEY_UNKNOWN`): the journal was written with other keys
   */
  static async open(folder: string, options: FileOptions = {}): Promise<FileEventStore> {
    assertOptions(folder, options)
    const home = resolve(folder)
    return refusingSystemErrors(home, async () => {
      await createFolder(home)
      const lock = await FolderLock.take(home)
      try {
        return await FileEventStore.#openHeld(home, lock, options)
      } catch (error) {
        await lock.release().catch(() => {}) // the first error says what is wrong
        throw error
      }
    })
  }

  static async #openHeld(
    folder: string,
    lock: FolderLock,
    { keys, logger: given = consoleLogger, clock }: FileOptions,
  ): Promise<FileEventStore> {
    const logger = componentLogger(given, 'store')
    const path = join(folder, JOURNAL)
    await assertNoLink(path)
    const ring = keys ?? (await loadOrCreateKeys(path, folder))
    await JournalReplacements.removeLeftovers(folder, JOURNAL)
    const handle = await openJournal(folder)
    try {
      const commits = new CommitsInJournal(path, handle, clock)
      const replacements = new JournalReplacements(folder, JOURNAL, lock, handle)
      const journal = new FileJournal(handle, commits, () => replacements.next())
      const store = new FileEventStore(lock, { keys: ring, journal, commits, logger, ...(clock && { clock }) })
      await store.#load(handle, new JournalReader(path, commits), journal, logger)
      return store
    } catch (error) {
      await handle.close().catch(() => {})
      throw error
    }
  }

  private constructor(lock: FolderLock, options: MemoryOptions) {
    super(options)
    this.#lock = lock
  }

  async #load(handle: FileHandle, reader: JournalReader, journal: FileJournal, logger: Logger): Promise<void> {
    await this.restore(reader.entries(chunksOf(handle)))
    const { hashing, sealing, log } = reader.keys
    if (log !== undefined) this.logId = log
    this.keys.assertHashingKnown(hashing)
    const retired = this.keys.assertSealingKnown(sealing)
    await recoverEnd(handle, reader)
    if (reader.torn) {
      logger.warn(
        { event: 'journal_tail_cut', file: reader.file, ...reader.torn },
        'cut an incomplete batch, which was never acknowledged, off the end of the journal',
      )
    }
    journal.continueAt(reader.end)
    const kept = sealing.filter((print) => !retired.includes(print))
    const fingerprints = {
      log: this.logId,
      hashing: this.keys.hashingFingerprints(),
      sealing: [...new Set([...kept, this.keys.sealingFingerprint()])],
    }
    if (!isDeepStrictEqual(fingerprints, reader.keys)) await journal.write([{ kind: 'keys', fingerprints }])
    this.compactFrom([{ kind: 'keys', fingerprints }])
  }

  /**
   * Waits for pending changes, closes the journal and releases the folder. Idempotent.
   *
   * @throws StoreUnavailableError (`STORE_UNAVAILABLE`): the disk hangs in the middle of a write. It may still write, so
   *   the folder stays taken until this process ends
   */
  override close(): Promise<void> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  async #finish(): Promise<void> {
    try {
      await super.close()
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) await this.#lock.release().catch(() => {})
      throw error
    }
    await this.#lock.release()
  }
}

/** @throws StoreRefusedError (`STORE_REFUSED`): where the link leads nothing else of the folder is, and no lock */
async function assertNoLink(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
  if (!found?.isSymbolicLink()) return
  throw new StoreRefusedError(
    `${path} is a symbolic link, which would be replaced by a file when the journal is written anew: move the journal ` +
      'there, or make the whole folder a link',
  )
}

async function openJournal(folder: string): Promise<FileHandle> {
  const path = join(folder, JOURNAL)
  await syncFolder(folder) // the process that created the file may have been killed before its own sync
  try {
    return await open(path, 'r+')
  } catch (error) {
    if (!isMissing(error)) throw error
    await createFile(folder, JOURNAL, encodeHeader(randomBytes(8).toString('base64url')).line)
    return open(path, 'r+')
  }
}

const OPTIONS: ReadonlySet<string> = new Set(['keys', 'logger', 'clock'])

function assertOptions(folder: string, options: FileOptions): void {
  if (typeof folder !== 'string' || folder === '')
    throw new OptionInvalidError('folder', 'must be the path of a folder')
  assertKnownOptions(options, OPTIONS)
  if (options.logger !== undefined && typeof options.logger?.warn !== 'function') {
    throw new OptionInvalidError('logger', 'needs a method `warn`')
  }
  if (options.clock !== undefined && typeof options.clock?.now !== 'function') {
    throw new OptionInvalidError('clock', 'needs a method `now`')
  }
  if (options.keys !== undefined) new KeyRing(options.keys)
}
