/*
 * Each round of a delivery is a piece of work of its own: whoever still holds the row of a former round settles and
 * finishes that, and cannot take the new one with it.
 */

const SEPARATOR = '~'

/** The id of the work that a delivery is in a round: 0 at first, one more with each replay. */
export function workIdOf(delivery: string, round: number): string {
  return round === 0 ? delivery : `${delivery}${SEPARATOR}${round}`
}

/** The delivery that a piece of work is a round of. */
export function deliveryOf(workId: string): string {
  return workId.split(SEPARATOR, 1)[0] ?? workId
}
