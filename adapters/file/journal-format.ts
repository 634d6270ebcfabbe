import { crc32 } from 'node:zlib'

/**
 * The journal is a text file. Each line is eight hexadecimal digits of a CRC-32, a space, JSON, a line feed. The first
 * line is the header. Batches follow, each a batch line and the lines of its entries:
 *
 *     2b5f0e6a {"journal":"oidc-provider-eventstore","schema":1,"id":"QhV3xR0u8mI"}
 *     9c1d44f0 {"entries":2,"bytes":431,"at":81,"after":"2b5f0e6a"}
 *     07aa51c3 {"kind":"commit",…}
 *     5be0912d {"kind":"consumer",…}
 *     e3a7710b {"entries":1,"bytes":98,"at":573,"after":"5be0912d"}
 *     …
 *
 * A batch is one write and one sync, and counts as a whole or not at all. It is complete when all its bytes are present
 * and every checksum matches. The CRC of an entry starts from the CRC of the line before it, and `after` is the CRC of
 * the line before the batch: a lost, doubled or moved line is detected like an altered one.
 *
 * A batch is written after everything before it has reached the disk. A batch line therefore proves that all bytes before
 * `at` were acknowledged. Its CRC starts from the header's alone, so that it can be recognized behind damaged lines.
 */
export interface JournalHeader {
  readonly journal: 'oidc-provider-eventstore'
  readonly schema: number
  /** Random, so that lines of another journal are not accepted. */
  readonly id: string
}

/** Version of what this package writes into a journal. A newer one is refused. */
export const JOURNAL_SCHEMA: number = 1

/** The contents of a batch line. */
export interface BatchLine {
  readonly entries: number
  /** Length of the lines of its entries. */
  readonly bytes: number
  /** Offset of the batch line. All bytes before it were on the disk when it was written. */
  readonly at: number
  /** CRC of the line before it. */
  readonly after: string
}

/** A place between two lines. */
export interface JournalPlace {
  /** Bytes before it. */
  readonly offset: number
  /** CRC of the line before it. */
  readonly crc: number
  /** CRC of the header. */
  readonly headerCrc: number
}

/** Where a line is. */
export interface LinePlace {
  readonly offset: number
  /** Bytes of it, without its line feed. */
  readonly length: number
  /** CRC of the line before it, from which its own begins. */
  readonly crcBefore: number
}

/** The place before the header. */
export const JOURNAL_START: JournalPlace = { offset: 0, crc: 0, headerCrc: 0 }

export const LINE_FEED: number = 0x0a
/** Upper bound for the length of a header and of a batch line, with the line feed. */
export const SHORT_LINE_BYTES: number = 256
/** Length of the CRC and the space after it. */
export const PREFIX: number = 9
/** The space after the CRC of a batch line, and the start of its JSON. Does not occur in an entry's JSON. */
export const BATCH_LINE_START: string = ' {"entries":'

/** Encodes a value as a line. */
export function encodeLine(value: unknown, crcBefore: number): { line: Buffer; crc: number } {
  const json = Buffer.from(JSON.stringify(value))
  const crc = crc32(json, crcBefore)
  return { line: Buffer.concat([Buffer.from(`${digits(crc)} `), json, Buffer.of(LINE_FEED)]), crc }
}

/** Decodes a line, given without its line feed. Undefined: its CRC does not match. */
export function decodeLine(line: Buffer, crcBefore: number): { value: unknown; crc: number } | undefined {
  const json = line.subarray(PREFIX)
  const crc = crc32(json, crcBefore)
  // Compares text: `A` and `a` are the same digit and differ by a flipped bit.
  if (line.toString('latin1', 0, PREFIX) !== `${digits(crc)} `) return undefined
  try {
    return { value: JSON.parse(json.toString('utf8')), crc }
  } catch {
    return undefined
  }
}

/** The first line of a new journal. */
export function encodeHeader(id: string, schema: number = JOURNAL_SCHEMA): { line: Buffer; end: JournalPlace } {
  const header: JournalHeader = { journal: 'oidc-provider-eventstore', schema, id }
  const { line, crc } = encodeLine(header, 0)
  return { line, end: { offset: line.length, crc, headerCrc: crc } }
}

/** Encodes a batch to be written at `place`. `places` tells where the line of each entry is. */
export function encodeBatch(
  entries: readonly unknown[],
  place: JournalPlace,
): { lines: readonly Buffer[]; places: readonly LinePlace[]; end: JournalPlace } {
  // The batch line comes first and holds the length of the entries, which does not depend on their CRCs.
  const texts = entries.map((entry) => Buffer.from(JSON.stringify(entry)))
  const bytes = texts.reduce((sum, text) => sum + PREFIX + text.length + 1, 0)
  const batch: BatchLine = { entries: entries.length, bytes, at: place.offset, after: digits(place.crc) }
  const first = encodeLine(batch, place.headerCrc)
  const lines = [first.line]
  const places: LinePlace[] = []
  let { crc } = first
  let offset = place.offset + first.line.length
  for (const text of texts) {
    const length = PREFIX + text.length
    places.push({ offset, length, crcBefore: crc })
    crc = crc32(text, crc)
    lines.push(Buffer.concat([Buffer.from(`${digits(crc)} `), text, Buffer.of(LINE_FEED)]))
    offset += length + 1
  }
  return { lines, places, end: { ...place, offset, crc } }
}

/** Decodes the batch line at the start of the bytes, from any place in the journal. Undefined: there is none. */
export function decodeBatchLine(
  bytes: Buffer,
  headerCrc: number,
): { batch: BatchLine; length: number; crc: number } | undefined {
  const feed = bytes.subarray(0, SHORT_LINE_BYTES).indexOf(LINE_FEED)
  if (feed < 0) return undefined
  const decoded = decodeLine(bytes.subarray(0, feed), headerCrc)
  const batch = decoded?.value as Partial<BatchLine> | null | undefined
  if (!decoded || typeof batch?.at !== 'number') return undefined
  return { batch: batch as BatchLine, length: feed + 1, crc: decoded.crc }
}

/** Whether the batch was written directly behind the place. */
export function follows(batch: BatchLine, { crc }: JournalPlace): boolean {
  return batch.after === digits(crc)
}

function digits(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}
