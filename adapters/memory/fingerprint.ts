import { getRandomValues } from 'node:crypto'

/** Words of 32 bits in a fingerprint. */
export const FINGERPRINT_WORDS = 4

const SEED = getRandomValues(new Uint32Array(FINGERPRINT_WORDS))

/**
 * Writes 128 bits that stand for the name into `print`. Two names have the same by chance once in 10^24 logs of 10^7 names.
 *
 * This is no cryptographic hash. The seed is random and lives as long as the process, and what outsiders choose of a name is
 * in it as a keyed hash: nobody can try names until two are alike.
 */
export function fingerprint(name: string, print: Uint32Array): void {
  let [a, b, c, d] = SEED as unknown as [number, number, number, number]
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index)
    a = Math.imul(a ^ unit, 0x9e3779b1) ^ (b >>> 15)
    b = Math.imul(b ^ unit, 0x85ebca6b) ^ (c >>> 13)
    c = Math.imul(c ^ unit, 0xc2b2ae35) ^ (d >>> 16)
    d = Math.imul(d ^ unit, 0x27d4eb2f) ^ (a >>> 14)
  }
  print[0] = spread(a ^ name.length)
  print[1] = spread(b ^ a)
  print[2] = spread(c ^ b)
  print[3] = spread(d ^ c)
}

/** Lets each bit of the word change about half of the others. */
function spread(word: number): number {
  let bits = word
  bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d)
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b)
  return bits ^ (bits >>> 16)
}
