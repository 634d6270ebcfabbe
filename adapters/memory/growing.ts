/** The array, or one of twice the length or more with the same contents. */
export function withRoomFor<T extends Uint32Array | Float64Array>(array: T, length: number): T {
  if (length <= array.length) return array
  const grown = new (array.constructor as new (length: number) => T)(Math.max(length, 2 * array.length))
  grown.set(array)
  return grown
}
