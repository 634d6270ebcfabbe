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
 * A batch is one write and one sync: it counts as a whole or not at all. It is complete when all its bytes are there
 * and every checksum matches. The CRC of an entry starts from the CRC of the line before it, and `after` names the CRC
 * of the line before the batch: so a line that was lost, doubled or moved is found as surely as an altered one.
 *
 * A batch is written when everything before it is on the disk. So its line shows, wherever it is found, that what is
 * broken in front of `at` was acknowledged. It can be recognized behind broken lines, since its CRC starts from the
 * header's alone.
 */
export interface JournalHeader {
  readonly journal: 'oidc-provider-eventstore'
  readonly schema: number
  /** Random, so that no line of another journal is taken for one of this. */
  readonly id: string
}

/** Version of what this package writes into a journal. A newer one is refused. */
export const JOURNAL_SCHEMA: number = 1

/** What a batch line says. */
export interface BatchLine {
  readonly entries: number
  /** Of the lines of its entries. */
  readonly bytes: number
  /** Where it was written: bytes before it, all of which were on the disk by then. */
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

/** Where a journal begins. */
export const JOURNAL_START: JournalPlace = { offset: 0, crc: 0, headerCrc: 0 }

export const LINE_FEED: number = 0x0a
/** No header and no batch line is longer, its line feed included. */
export const SHORT_LINE_BYTES: number = 256
/** Digits of the CRC, and the space behind them. */
export const PREFIX: number = 9
/** How the JSON of a batch line begins, with the space before it. JSON of an entry never holds this. */
export const BATCH_LINE_START: string = ' {"entries":'

/** A value as a line. */
export function encodeLine(value: unknown, crcBefore: number): { line: Buffer; crc: number } {
  const json = Buffer.from(JSON.stringify(value))
  const crc = crc32(json, crcBefore)
  return { line: Buffer.concat([Buffer.from(`${digits(crc)} `), json, Buffer.of(LINE_FEED)]), crc }
}

/** What a line, given without its line feed, holds; undefined when its CRC does not match. */
export function decodeLine(line: Buffer, crcBefore: number): { value: unknown; crc: number } | undefined {
  const json = line.subarray(PREFIX)
  const crc = crc32(json, crcBefore)
  // Compared as text: `A` and `a` are the same digit, and still a flipped bit.
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

/** The lines of a batch that is written at `place`. */
export function encodeBatch(
  entries: readonly unknown[],
  place: JournalPlace,
): { lines: readonly Buffer[]; end: JournalPlace } {
  // The CRC of the first entry needs that of the batch line, which needs the length of the entries: these do not
  // depend on their CRCs.
  const texts = entries.map((entry) => Buffer.from(JSON.stringify(entry)))
  const bytes = texts.reduce((sum, text) => sum + PREFIX + text.length + 1, 0)
  const batch: BatchLine = { entries: entries.length, bytes, at: place.offset, after: digits(place.crc) }
  const first = encodeLine(batch, place.headerCrc)
  const lines = [first.line]
  let { crc } = first
  for (const text of texts) {
    crc = crc32(text, crc)
    lines.push(Buffer.concat([Buffer.from(`${digits(crc)} `), text, Buffer.of(LINE_FEED)]))
  }
  return { lines, end: { ...place, offset: place.offset + first.line.length + bytes, crc } }
}

/** The batch line with which the bytes begin, wherever in the journal it stands; undefined when they begin otherwise. */
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
