import { randomBytes } from 'node:crypto'
import { KeyUnknownError, LogForgedError, SealBrokenError } from '../../lib/errors.ts'
import type { JsonObject } from '../../lib/log/commit.ts'
import type { KeyRing } from '../../lib/secrets/key-ring.ts'
import type { Collections } from './collections.ts'
import { CommitMacs, type MacKey } from './commit-macs.ts'
import { isDuplicate } from './outcome.ts'
import type { AskWith } from './rights.ts'

/** What the seal of the log's own keys is bound to. */
const STREAM = 'log:mac_keys'

/**
 * The keys that authenticate the log's commits. They belong to the log and lie beside it, sealed with the sealing keys:
 * these rotate, and what was stored years ago is still verified. Made by whoever opens the log first.
 *
 * @throws LogForgedError (`LOG_FORGED`): there are commits, and the keys are gone, or somebody else's
 * @throws KeyUnknownError (`KEY_UNKNOWN`)
 */
export async function loadMacKeys(collections: Collections, keys: KeyRing, ask: AskWith): Promise<CommitMacs> {
  const found = (await read(collections, ask)) ?? (await make(collections, keys, ask))
  const opened = open(keys, found.sealed)
  // Sealed again by the key that seals now, so that the former one may retire.
  if (!keys.isSealedByFirst(found.sealed)) await seal(collections, keys, opened, found.sealed, ask)
  return new CommitMacs(opened)
}

async function read(collections: Collections, ask: AskWith): Promise<{ readonly sealed: string } | undefined> {
  const found = await ask((signal) => collections.macKeys.findOne({ _id: 'mac_keys' }, { signal }))
  return found ? { sealed: String(found.sealed) } : undefined
}

async function make(collections: Collections, keys: KeyRing, ask: AskWith): Promise<{ readonly sealed: string }> {
  const commit = await ask((signal) =>
    collections.events.findOne({ e: { $ne: [] } }, { projection: { _id: 1 }, signal }),
  )
  if (commit) throw new LogForgedError('the keys that authenticate its commits are gone from the collection `counters`')
  const sealed = sealedBy(keys, [{ id: '1', bytes: randomBytes(32) }])
  const insert = { q: { _id: 'mac_keys' }, u: { $setOnInsert: { sealed } }, upsert: true }
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

async function seal(
  collections: Collections,
  keys: KeyRing,
  opened: readonly MacKey[],
  former: string,
  ask: AskWith,
): Promise<void> {
  const update = { q: { _id: 'mac_keys', sealed: former }, u: { $set: { sealed: sealedBy(keys, opened) } } }
  await ask((signal) => collections.update('counters', update, signal))
}

function sealedBy(keys: KeyRing, opened: readonly MacKey[]): string {
  const list = opened.map(({ id, bytes }): JsonObject => ({ id, key: bytes.toString('base64url') }))
  return keys.seal(list, STREAM)
}

function open(keys: KeyRing, sealed: string): readonly MacKey[] {
  try {
    const list = keys.open(sealed, STREAM) as readonly { readonly id: string; readonly key: string }[]
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
