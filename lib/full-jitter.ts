/**
 * How long to wait before the next of several tries, in milliseconds: anything up to a limit that doubles with each, so
 * that those who have met do not meet again.
 *
 * @param tries - how many have failed
 */
export function fullJitter(
  tries: number,
  { firstMs, mostMs }: { readonly firstMs: number; readonly mostMs: number },
  random: () => number = Math.random,
): number {
  return random() * Math.min(mostMs, firstMs * 2 ** (tries - 1))
}
