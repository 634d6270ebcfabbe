/**
 * What a terminal, or a person who reads, could be deceived by: control characters, which begin escape sequences (some
 * terminals take those from 0x80 on as well), and marks that turn the direction of text around (Unicode Standard
 * Annex 9).
 */
const DECEIVING = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** Line feeds and tabs are left where lines are printed as they are. */
const LAYOUT = new Set(['\n', '\t'])

/** Text that others have chosen, with what could deceive written as `\u001b`. */
export function printable(text: string): string {
  return text.replace(DECEIVING, (char) => (LAYOUT.has(char) ? char : escaped(char)))
}

/** The same for JSON text, which stays the JSON of the same value. */
export function printableJson(json: string): string {
  return json.replace(DECEIVING, escaped)
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}
