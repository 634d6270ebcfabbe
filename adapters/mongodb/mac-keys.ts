import { randomBytes } from 'node:crypto'
import { LogForgedError, SealBrokenError } from '../../lib/errors.ts'
import type { JsonObject } from '../../lib/log/commit.ts'
import type { KeyRing } from '../../lib/secrets/key-ring.ts'
import type { Collections } from './collections.ts'
import { CommitMacs, type MacKey } from './commit-macs.ts'
import { isDuplicate } from './outcome.ts'
import type { AskWith } from './rights.ts'

/** What they are wrapped as. */
const NAME = 'mac_keys'

/**
 * The keys that authenticate the log's commits. They belong to the log and lie beside it, wrapped with the hashing key:
 * keys rotate, and what was stored years ago is still verified. Made by whoever opens the log first.
 *
 * @throws LogForgedError (`LOG_FORGED`): there are commits, and the keys are gone, or somebody else's
 * @throws KeyUnknownError (`KEY_UNKNOWN`)
 */
export async function loadMacKeys(collections: Collections, keys: KeyRing, ask: AskWith): Promise<CommitMacs> {
  const wrapped = (await read(collections, ask)) ?? (await make(collections, keys, ask))
  const opened = open(keys, wrapped)
  // Under each key that is configured here, so that the others may go.
  const missing = keys.wrapMissing(wrapped, toJson(opened), NAME)
  if (missing.length > 0) {
    const update = { q: { _id: 'mac_keys' }, u: { $addToSet: { wrapped: { $each: missing } } } }
    await ask((signal) => collections.update('counters', update, signal))
  }
  return new CommitMacs(opened)
}

async function read(collections: Collections, ask: AskWith): Promise<readonly string[] | undefined> {
  const found = await ask((signal) => collections.macKeys.findOne({ _id: 'mac_keys' }, { signal }))
  return found?.wrapped.map(String)
}

async function make(collections: Collections, keys: KeyRing, ask: AskWith): Promise<readonly string[]> {
  const commit = await ask((signal) =>
    collections.events.findOne({ e: { $ne: [] } }, { projection: { _id: 1 }, signal }),
  )
  if (commit) {
    const made = await read(collections, ask) // another process may have been faster, and have appended already
    if (made) return made
    throw new LogForgedError('the keys that authenticate its commits are gone from the collection `counters`')
  }
  const wrapped = keys.wrapMissing([], toJson([{ id: '1', bytes: randomBytes(32) }]), NAME)
  const insert = { q: { _id: 'mac_keys' }, u: { $setOnInsert: { wrapped } }, upsert: true }
  await ask((signal) =>
    collections.update('counters', insert, signal).catch((error: unknown) => {
      if (!isDuplicate(error)) throw error // another process was faster
      return 0
    }),
  )
  const made = await read(collections, ask)
  if (!made) throw new LogForgedError('the keys that authenticate its commits were made and cannot be read back')
  return made
}

function toJson(keys: readonly MacKey[]): JsonObject[] {
  return keys.map(({ id, bytes }) => ({ id, key: bytes.toString('base64url') }))
}

function open(keys: KeyRing, wrapped: readonly string[]): readonly MacKey[] {
  try {
    const list = keys.unwrap(wrapped, NAME) as readonly { readonly id: string; readonly key: string }[]
    return list.map(({ id, key }) => ({ id, bytes: Buffer.from(key, 'base64url') }))
  } catch (error) {
    if (error instanceof SealBrokenError)
      throw new LogForgedError('the keys that authenticate its commits are not those that were made for it', {
        cause: error,
      })
    throw error
  }
}
