import { rename, rm } from 'node:fs/promises'

/** So many others may put theirs there between the two steps in which one is put there. */
const TRIES = 100

/**
 * Puts a folder in the place of another, if there is one. Who looks there finds the former one, the new one, or for a
 * moment none; never half of one.
 *
 * @param folder on the same file system as the place, under a name that nobody else uses
 */
export async function putInPlace(folder, place) {
  const former = `${folder}.former`
  for (let tries = 1; ; tries++) {
    try {
      await rename(place, former)
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
    }
    try {
      await rename(folder, place)
    } catch (error) {
      const isTaken = error.code === 'ENOTEMPTY' || error.code === 'EEXIST'
      if (isTaken && tries < TRIES) continue
      await rename(former, place).catch(() => undefined) // there may have been none
      throw error
    } finally {
      await rm(former, { recursive: true, force: true })
    }
    return
  }
}
