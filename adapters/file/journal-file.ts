/** The part of a `FileHandle` of node:fs that the journal uses. */
export interface JournalFile {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
  write(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>
  truncate(bytes: number): Promise<void>
  /** Resolves when contents and length are on the disk. */
  datasync(): Promise<void>
  /** As `datasync`, and a truncation is on the disk as well. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Bytes read or written at once. */
export const CHUNK_BYTES: number = 1024 * 1024

/** The contents of a file between two offsets, in chunks. Default: the whole file. */
export async function* chunksOf(
  file: JournalFile,
  from: number = 0,
  to: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  for (let position = from; position < to; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - position))
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
}

/** Writes all bytes, in several steps where the system writes only a part. */
export async function writeAll(file: JournalFile, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** So many bytes of the file from an offset on; fewer where it ends before. */
export async function readWhole(file: JournalFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  let read = 0
  while (read < length) {
    const { bytesRead } = await file.read(bytes, read, length - read, offset + read)
    if (bytesRead === 0) break
    read += bytesRead
  }
  return bytes.subarray(0, read)
}
