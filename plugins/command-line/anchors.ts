import { type FileHandle, open } from 'node:fs/promises'
import { decodeProtectedHeader } from 'jose'
import { type Anchor, AnchorInvalidError, type EventStore } from '../../lib/index.ts'
import { anchorReader } from '../../lib/verify/anchor.ts'
import { readSecret } from './connection.ts'
import { UsageError } from './exit-codes.ts'
import { linesOf } from './lines.ts'
import type { Terminal } from './terminal.ts'

/** Where the key pair of anchors is found. */
export interface AnchorKeyOptions {
  readonly anchorKey?: string
}

/** The key pair that anchors are signed and verified with; undefined: the store's own keys. @throws UsageError */
export async function anchorKeyOf({ anchorKey }: AnchorKeyOptions, { env }: Terminal): Promise<string | undefined> {
  const file = anchorKey ?? (env['EVENTSTORE_ANCHOR_KEY_FILE'] || undefined)
  return file === undefined ? env['EVENTSTORE_ANCHOR_KEY'] || undefined : readSecret(file)
}

/**
 * The anchors in a file, one a line, each verified, one in memory at a time.
 *
 * @throws UsageError: there is none, or the file cannot be read
 * @throws AnchorInvalidError (`ANCHOR_INVALID`), with its line
 */
export async function* anchorsIn(
  file: string,
  { keys }: Pick<EventStore, 'keys'>,
  key: string | undefined,
): AsyncGenerator<Anchor, void> {
  const read = await anchorReader(keys, key === undefined ? {} : { key })
  let count = 0
  for await (const { text, number } of linesOf(file)) {
    const jws = text.trim()
    if (jws === '') continue
    count += 1
    yield await anchorOf(() => read(jws), `${file}, line ${number}`)
  }
  if (count === 0) throw new UsageError(`${file} holds no anchor`)
}

async function anchorOf(read: () => Promise<Anchor>, where: string): Promise<Anchor> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof AnchorInvalidError)
      throw new AnchorInvalidError(`${where}: ${error.why}. To go on without it, remove that line`, { cause: error })
    throw error
  }
}

/** Adds an anchor to a file, as a line of its own. @throws UsageError */
export async function appendAnchor(file: string, jws: string): Promise<void> {
  try {
    const handle = await open(file, 'a+', 0o600)
    try {
      await handle.appendFile(`${await lineFeedFor(handle)}${jws}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw new UsageError(`${file} cannot be written: ${(cause as NodeJS.ErrnoException).code}`, { cause })
  }
}

/** A line that is longer is no anchor, in bytes. */
const MOST = 64 * 1024

/**
 * What ends the last line where it has no end, since whoever wrote it was killed. The beginning of an anchor is cut off: it
 * would be refused for ever.
 */
async function lineFeedFor(handle: FileHandle): Promise<'' | '\n'> {
  const { size } = await handle.stat()
  const length = Math.min(size, MOST)
  if (length === 0) return ''
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length)
  const last = buffer.subarray(buffer.lastIndexOf('\n') + 1).toString('latin1') // a character for each byte
  if (last === '') return ''
  if (!isCutOff(last)) return '\n'
  await handle.truncate(size - last.length)
  return ''
}

/** As each JWS begins: `{"`. */
const BEGINNING = 'eyJ'

/** Characters of a signature of an anchor. */
const SIGNATURE: Readonly<Record<string, number>> = { HS256: 43, EdDSA: 86, ES256: 86 }

/** Whether it is a JWS up to somewhere before its end. */
function isCutOff(line: string): boolean {
  if (!BEGINNING.startsWith(line.slice(0, BEGINNING.length))) return false
  try {
    const signature = line.split('.')[2] ?? ''
    return signature.length < (SIGNATURE[decodeProtectedHeader(line).alg ?? ''] ?? 0)
  } catch {
    return true
  }
}
