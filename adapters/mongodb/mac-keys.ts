import { randomBytes } from 'node:crypto'
import { KeyUnknownError, LogForgedError, SealBrokenError } from '../../lib/errors.ts'
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
  const found = (await read(collections, ask)) ?? (await make(collections, keys, ask))
  const opened = open(keys, found.wrapped)
  // Wrapped again by the key that hashes now, so that the former one may go.
  if (!keys.isWrappedByFirst(found.wrapped)) await wrapAgain(collections, keys, opened, found.wrapped, ask)
  return new CommitMacs(opened)
}

async function read(collections: Collections, ask: AskWith): Promise<{ readonly wrapped: string } | undefined> {
  const found = await ask((signal) => collections.macKeys.findOne({ _id: 'mac_keys' }, { signal }))
  return found ? { wrapped: String(found.wrapped) } : undefined
}

async function make(collections: Collections, keys: KeyRing, ask: AskWith): Promise<{ readonly wrapped: string }> {
  const commit = await ask((signal) =>
    collections.events.findOne({ e: { $ne: [] } }, { projection: { _id: 1 }, signal }),
  )
  if (commit) {
    const made = await read(collections, ask) // another process may have been faster, and have appended already
    if (made) return made
    throw new LogForgedError('the keys that authenticate its commits are gone from the collection `counters`')
  }
  const wrapped = wrappedBy(keys, [{ id: '1', bytes: randomBytes(32) }])
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

async function wrapAgain(
  collections: Collections,
  keys: KeyRing,
  opened: readonly MacKey[],
  former: string,
  ask: AskWith,
): Promise<void> {
  const update = { q: { _id: 'mac_keys', wrapped: former }, u: { $set: { wrapped: wrappedBy(keys, opened) } } }
  await ask((signal) => collections.update('counters', update, signal))
}

function wrappedBy(keys: KeyRing, opened: readonly MacKey[]): string {
  const list = opened.map(({ id, bytes }): JsonObject => ({ id, key: bytes.toString('base64url') }))
  return keys.wrap(list, NAME)
}

function open(keys: KeyRing, wrapped: string): readonly MacKey[] {
  try {
    const list = keys.unwrap(wrapped, NAME) as readonly { readonly id: string; readonly key: string }[]
    return list.map(({ id, key }) => ({ id, bytes: Buffer.from(key, 'base64url') }))
  } catch (error) {
    if (error instanceof SealBrokenError)
      throw new LogForgedError('the keys that authenticate its commits are not those that were made for it', {
        cause: error,
      })
    if (!(error instanceof KeyUnknownError)) throw error
    throw new KeyUnknownError(`the keys that authenticate the log's commits cannot be opened: ${error.message}`, {
      cause: error,
    })
  }
}
