/**
 * How many requests may be in flight to an RP, by how it does. One that is new to this process begins with a few, so that
 * many that hang at once cannot fill all the places of the process before their circuits open; it has one more with each
 * answer, which doubles them with each round, and half as many after a failure. Never none: whether a failing RP may be
 * asked at all, its circuit says. Pure.
 */
export const FIRST_PLACES = 4

/** The RP answered. */
export function grown(places: number, most: number): number {
  return Math.min(most, places + 1)
}

/** It did not, or only to say that it cannot. */
export function shrunk(places: number): number {
  return Math.max(1, Math.floor(places / 2))
}
