import { createHash, timingSafeEqual } from 'node:crypto'

/** Whether two texts are the same; how long that takes says nothing about where they differ. */
export function sameText(a: string, b: string): boolean {
  const [one, other] = [a, b].map((text) => createHash('sha256').update(text).digest()) as [Buffer, Buffer]
  return timingSafeEqual(one, other)
}
