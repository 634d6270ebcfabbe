import type { JournalFile } from '../../adapters/file/journal-file.ts'

const SECTOR_BYTES = 512

/** Which of the pages that wait to be written reach the disk when the power goes, and whether the file's length does. */
export interface PowerLoss {
  /** 512 or 4096: what the disk writes as a whole. */
  readonly pageBytes: number
  readonly reaches: (page: number) => boolean
  readonly lengthReaches: boolean
}

/**
 * A file in memory as a kernel keeps it: what was written is seen at once, and is on the disk after a sync. It counts
 * what is done to it, fails when it is told to, and can lose its power.
 */
export class DiskInMemory implements JournalFile {
  /** What a reader sees. */
  contents: Buffer
  #disk: Buffer
  readonly #dirty = new Set<number>()
  readonly writes: number[] = []
  syncs = 0
  /** Bytes that one write takes at most. */
  mostBytes: number = Number.POSITIVE_INFINITY
  failWrite: Error | undefined
  failSync: Error | undefined
  /** What becomes of the pages that a failed sync could not write: the kernel counts them as written, or tries again. */
  failedSyncForgets = false

  constructor(contents: Buffer) {
    this.contents = Buffer.from(contents)
    this.#disk = Buffer.from(contents)
  }

  async read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    return { bytesRead: this.contents.copy(buffer, offset, position, position + length) }
  }

  async write(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesWritten: number }> {
    this.writes.push(length)
    if (this.failWrite) throw this.failWrite
    const bytesWritten = Math.min(length, this.mostBytes)
    this.contents = extended(this.contents, position + bytesWritten)
    buffer.copy(this.contents, position, offset, offset + bytesWritten)
    for (let sector = sectorOf(position); sector <= sectorOf(position + bytesWritten - 1); sector++) {
      this.#dirty.add(sector)
    }
    return { bytesWritten }
  }

  async truncate(bytes: number): Promise<void> {
    this.contents = Buffer.from(this.contents.subarray(0, bytes))
  }

  async datasync(): Promise<void> {
    this.syncs += 1
    if (this.failSync) {
      if (this.failedSyncForgets) this.#dirty.clear()
      throw this.failSync
    }
    this.#disk = this.#diskWith([...this.#dirty], this.contents.length)
    this.#dirty.clear()
  }

  sync(): Promise<void> {
    return this.datasync()
  }

  async close(): Promise<void> {}

  /** The file as it is found when the power is back. */
  afterPowerLoss({ pageBytes, reaches, lengthReaches }: PowerLoss): DiskInMemory {
    const written = [...this.#dirty].filter((sector) => reaches(Math.floor((sector * SECTOR_BYTES) / pageBytes)))
    return new DiskInMemory(this.#diskWith(written, lengthReaches ? this.contents.length : this.#disk.length))
  }

  /** What the disk holds once it is as long and these sectors reached it. */
  #diskWith(sectors: readonly number[], length: number): Buffer {
    let disk: Buffer = Buffer.from(extended(this.#disk.subarray(0, length), length))
    for (const sector of sectors) {
      const from = sector * SECTOR_BYTES
      const to = Math.min(from + SECTOR_BYTES, this.contents.length)
      disk = extended(disk, to)
      this.contents.copy(disk, from, from, to)
    }
    return disk
  }
}

function sectorOf(position: number): number {
  return Math.floor(position / SECTOR_BYTES)
}

function extended(bytes: Buffer, length: number): Buffer {
  return length <= bytes.length ? bytes : Buffer.concat([bytes], length)
}
