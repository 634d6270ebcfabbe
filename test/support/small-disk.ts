import { fstatSync, readdirSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'

interface Methods {
  write(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>
  datasync(): Promise<void>
}

/**
 * A disk on which a folder of this process may take so many bytes: who writes more writes what fits, and is then told
 * ENOSPC, as by a file system. What `fs.writeFile` writes is not limited.
 */
export class SmallDisk {
  /** Bytes that the files of the folder may take. */
  capacity: number = Number.POSITIVE_INFINITY
  /** How often somebody was told that there is no room. */
  refusals = 0
  /** Called before a file is synced, with its length. */
  beforeSync: ((bytes: number) => Promise<void> | void) | undefined
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
    this.#genuine = { write: methods.write, datasync: methods.datasync }
    const disk = this
    const { write, datasync } = this.#genuine
    Object.assign(methods, {
      async write(this: FileHandle, buffer: Buffer, offset: number, length: number, position: number) {
        const grows = Math.max(0, position + length - fstatSync(this.fd).size)
        const fits = length - Math.max(0, grows - disk.room)
        if (fits > 0) return write.call(this, buffer, offset, fits, position)
        disk.refusals += 1
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
      },
      async datasync(this: FileHandle) {
        await disk.beforeSync?.(fstatSync(this.fd).size)
        return datasync.call(this)
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
