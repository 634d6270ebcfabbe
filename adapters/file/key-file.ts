import { randomBytes } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KeysInvalidError, KeyUnknownError } from '../../lib/errors.ts'
import { generateSecret, type Key, type Keys } from '../../lib/secrets/key-ring.ts'
import { isMissing, makeFile } from './folder.ts'

const NAME = 'keys.json'

/**
 * The keys that lie beside the journal, made at first use, readable by their owner only. Good enough where whoever can
 * read the folder may read the keys; elsewhere hand in keys from where secrets are kept.
 *
 * @param journal - the journal's path: where it is there already, its keys must be as well
 * @throws KeysInvalidError (`KEYS_INVALID`), KeyUnknownError (`KEY_UNKNOWN`)
 */
export async function keysBeside(journal: string, folder: string): Promise<Keys> {
  const path = join(folder, NAME)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  if (text !== undefined) return parse(text, path)
  if (await exists(journal)) {
    throw new KeyUnknownError(
      `${journal} is there, ${path} is not: it was written with keys that were handed in, or the file was lost. ` +
        'Pass these keys as the option `keys`, or put the file back',
    )
  }
  const keys: Keys = { sealing: [newKey()], hashing: [newKey()] }
  await makeFile(folder, NAME, `${JSON.stringify(keys, null, 2)}\n`)
  return keys
}

function parse(text: string, path: string): Keys {
  try {
    return JSON.parse(text) as Keys
  } catch {
    throw new KeysInvalidError(`${path} is not JSON`) // without its cause, which quotes what is in it
  }
}

/** The id is random as well, so that a lost key is told from a present one by its name. */
function newKey(): Key {
  return { id: `file-${randomBytes(4).toString('hex')}`, secret: generateSecret() }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
