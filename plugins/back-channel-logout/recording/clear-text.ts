/** The longest name of strangers that is recorded in the clear, in UTF-16 code units. */
export const CLEAR_TEXT_LIMIT: number = 1_024

/**
 * Whether text that strangers have chosen can be recorded in the clear: no store keeps half a surrogate pair, and one
 * name must not fill a commit.
 */
export function isClearText(text: string): boolean {
  return text.length <= CLEAR_TEXT_LIMIT && text.isWellFormed()
}

/** The same text where it can be recorded in the clear; else its beginning, with what cannot be stored replaced. */
export function clearTextOf(text: string): string {
  return text.slice(0, CLEAR_TEXT_LIMIT).toWellFormed()
}
