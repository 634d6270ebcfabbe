import { fstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'

interface Methods {
  write(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>
  datasync(): Promise<void>
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
}

/**
 * A disk on which a folder of this process may take so many bytes: who writes more writes what fits, and is then told
 * ENOSPC, as by a file system. What `fs.writeFile` writes is not limited.
 */
export class SmallDisk {
  /** Bytes that the files of the folder may take. */
  capacity: number = Number.POSITIVE_INFINITY
  /** Files that find no room at all, by their paths; on Linux alone. */
  refuse: ((name: string) => boolean) | undefined
  /** How often somebody was told that there is no room. */
  refusals = 0
  /** Called before a file is synced, with its length. */
  beforeSync: ((bytes: number) => Promise<void> | void) | undefined
  /** Called before anything is read. */
  beforeRead: (() => Promise<void>) | undefined
  readonly #folder: string
  readonly #methods: Methods
  readonly #genuine: Methods

  static async of(folder: string): Promise<SmallDisk> {
    const handle = await open(process.execPath)
    const methods = Object.getPrototypeOf(handle) as Methods
    await handle.close()
    return new SmallDisk(folder, methods)
  }

  private constructor(folder: string, methods: Methods) {
    this.#folder = folder
    this.#methods = methods
    this.#genuine = { write: methods.write, datasync: methods.datasync, read: methods.read }
    const disk = this
    const { write, datasync, read } = this.#genuine
    Object.assign(methods, {
      async write(this: FileHandle, buffer: Buffer, offset: number, length: number, position: number) {
        const grows = Math.max(0, position + length - fstatSync(this.fd).size)
        const isRefused = disk.refuse?.(readlinkSync(`/proc/self/fd/${this.fd}`)) ?? false
        const fits = length - Math.max(0, grows - disk.room)
        if (fits > 0 && !isRefused) return write.call(this, buffer, offset, fits, position)
        disk.refusals += 1
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
      },
      async datasync(this: FileHandle) {
        await disk.beforeSync?.(fstatSync(this.fd).size)
        return datasync.call(this)
      },
      async read(this: FileHandle, buffer: Buffer, offset: number, length: number, position: number) {
        await disk.beforeRead?.()
        return read.call(this, buffer, offset, length, position)
      },
    })
  }

  /** Bytes that are taken. */
  get used(): number {
    return readdirSync(this.#folder).reduce((sum, name) => sum + statSync(join(this.#folder, name)).size, 0)
  }

  get room(): number {
    return this.capacity - this.used
  }

  /** Files are written as before. */
  restore(): void {
    Object.assign(this.#methods, this.#genuine)
  }
}
