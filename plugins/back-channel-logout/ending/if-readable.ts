import { isUnreadable } from '../../../lib/index.ts'

/** What is read; undefined where it cannot be, for want of a key. In a list the others must be seen. */
export async function ifReadable<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}
