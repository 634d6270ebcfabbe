import { randomBytes } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KeysInvalidError, KeyUnknownError } from '../../lib/errors.ts'
import { generateSecret, type Key, type Keys } from '../../lib/secrets/key-ring.ts'
import { createFile, isMissing } from './folder.ts'

const NAME = 'keys.json'

/**
 * The keys in the folder's `keys.json`, which is created at first use and readable by its owner only. Suitable where
 * everybody who can read the journal may also read its contents. Otherwise pass keys from a secret store.
 *
 * @param journal - the journal's path. Keys are created only while it does not exist
 * @throws KeysInvalidError (`KEYS_INVALID`), KeyUnknownError (`KEY_UNKNOWN`)
 */
export async function loadOrCreateKeys(journal: string, folder: string): Promise<Keys> {
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
  await createFile(folder, NAME, `${JSON.stringify(keys, null, 2)}\n`)
  return keys
}

function parse(text: string, path: string): Keys {
  try {
    return JSON.parse(text) as Keys
  } catch {
    throw new KeysInvalidError(`${path} is not JSON`) // without `cause`, which quotes the contents
  }
}

/** The id is random, too, so that error messages can distinguish a lost key from the present one. */
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
