import { crc32 } from 'node:zlib'

/**
 * The journal is a text file. Each line is one entry: eight hexadecimal digits of a CRC-32, a space, JSON, a line feed.
 * The first line tells the format and the version of its schema.
 *
 * The CRC of a line is begun with the CRC of the line before it. So it covers the whole file up to its line: a line
 * that was lost, doubled or moved is found as surely as one that was altered.
 */
export interface JournalHeader {
  readonly journal: 'oidc-provider-eventstore'
  readonly schema: number
}

/** Version of what this package writes into a journal. A newer one is refused. */
export const JOURNAL_SCHEMA: number = 1

/** A place between two lines. */
export interface JournalPlace {
  /** Bytes before it. */
  readonly offset: number
  /** CRC of the line before it, which the next one's is begun with. */
  readonly crc: number
}

/** Where a journal begins. */
export const JOURNAL_START: JournalPlace = { offset: 0, crc: 0 }

const LINE_FEED = 0x0a
/** Digits of the CRC, and the space behind them. */
const PREFIX = 9

/** A value as a line, to be written at `place`; and the place behind it. */
export function encodeLine(value: unknown, place: JournalPlace): { line: Buffer; next: JournalPlace } {
  const json = Buffer.from(JSON.stringify(value))
  const crc = crc32(json, place.crc)
  const line = Buffer.concat([Buffer.from(digits(crc)), json, Buffer.of(LINE_FEED)])
  return { line, next: { offset: place.offset + line.length, crc } }
}

/** What the line at `place` holds, given without its line feed; undefined when its CRC does not fit. */
export function decodeLine(line: Buffer, place: JournalPlace): { value: unknown; next: JournalPlace } | undefined {
  const json = line.subarray(PREFIX)
  const crc = crc32(json, place.crc)
  // Compared as text: `A` and `a` are the same digit, and still a flipped bit.
  if (line.toString('latin1', 0, PREFIX) !== digits(crc)) return undefined
  return { value: JSON.parse(json.toString('utf8')), next: { offset: place.offset + line.length + 1, crc } }
}

function digits(crc: number): string {
  return `${crc.toString(16).padStart(8, '0')} `
}

/** The first line of a new journal. */
export function encodeHeader(): { line: Buffer; next: JournalPlace } {
  const header: JournalHeader = { journal: 'oidc-provider-eventstore', schema: JOURNAL_SCHEMA }
  return encodeLine(header, JOURNAL_START)
}
