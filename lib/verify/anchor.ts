import { type CompactJWSHeaderParameters, CompactSign, compactVerify, errors } from 'jose'
import type { Clock } from '../clock.ts'
import { AnchorInvalidError, OptionInvalidError } from '../errors.ts'
import { assertKnownOptions } from '../known-options.ts'
import type { EventStore } from '../log/event-store.ts'
import { LATEST_TIME } from '../log/prepare.ts'
import type { KeyRing } from '../secrets/key-ring.ts'
import { type AnchorKey, anchorSigningKey, anchorVerificationKey, keyFor, storeKey, storeKeys } from './anchor-keys.ts'
import { lastSegment } from './segments.ts'

/** What a log was at a moment. Kept elsewhere it shows later that the log still holds that. */
export interface Anchor {
  /** Which log: see `EventStore.logId`. */
  readonly log: string
  /** When it was made, milliseconds since 1970. */
  readonly at: number
  /** The last segment of the chain, which stands for all before it. Absent: there was none yet, or the store has none. */
  readonly segment?: { readonly number: number; readonly to: number; readonly link: string }
  /** The last commit. Absent: the log was empty. */
  readonly last?: { readonly position: number; readonly commit: string }
}

/** An anchor, and the same as it is kept. */
export interface SignedAnchor extends Anchor {
  /** A compact JWS (RFC 7515). */
  readonly jws: string
}

/** How an anchor is signed. */
export interface MakeAnchorOptions {
  /**
   * The private key: Ed25519 (`EdDSA`) or P-256 (`ES256`), as PEM or as a JWK. Default: a key derived from the store's
   * hashing key (`HS256`), so that only who has the store's keys can verify it.
   */
  readonly key?: string
}

/** How an anchor is verified. */
export interface ReadAnchorOptions {
  /** The public key of those that were signed with a key pair, as PEM or as a JWK. */
  readonly key?: string
}

const TYPE = 'eventstore-anchor+jwt'

/** So far back the last commit is looked for: what lies at the end of a log are commits, but for the odd tombstone. */
const LOOK_BACK = 100

/** An anchor has less: nobody reads more. */
const MOST_CHARS = 4_096

/**
 * Makes an anchor of the log as it is now. Keep it where whoever can write to the log's database cannot:
 * `verifyLog({ anchors })` finds by it that the database was put back to an earlier day.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 * @throws LogForgedError (`LOG_FORGED`): the chain of segments is not whole
 */
export async function makeAnchor(
  { store, clock }: { readonly store: EventStore; readonly clock: Clock },
  options: MakeAnchorOptions = {},
): Promise<SignedAnchor> {
  assertKnownOptions(options, new Set(['key']))
  const key = options.key === undefined ? storeKey(store.keys) : await anchorSigningKey(options.key)
  const segment = store.segments && (await lastSegment(store.segments))
  const last = await lastCommit(store)
  const seconds = Math.floor(clock.now() / 1_000)
  const claims = {
    log: store.logId,
    ...(segment && { segment: { number: segment.number, to: segment.to, link: segment.link } }),
    ...(last && { last }),
  }
  try {
    const jws = await signed({ ...claims, iat: seconds }, key)
    await readAnchor(store.keys, jws, options)
    return { ...claims, at: seconds * 1_000, jws }
  } catch {
    throw new OptionInvalidError('key', 'has two halves that do not belong together: nobody could verify what it signs')
  }
}

/**
 * Verifies an anchor's signature and reads it. What it says of the log `verifyLog()` compares.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 * @throws AnchorInvalidError (`ANCHOR_INVALID`): it is none, or nobody whose key is known has signed it
 */
export async function readAnchor(keys: KeyRing, jws: string, options: ReadAnchorOptions = {}): Promise<Anchor> {
  return (await anchorReader(keys, options))(jws)
}

/** The same for many anchors: the keys are made ready once. */
export async function anchorReader(
  keys: KeyRing,
  options: ReadAnchorOptions = {},
): Promise<(jws: string) => Promise<Anchor>> {
  assertKnownOptions(options, new Set(['key']))
  const known = storeKeys(keys)
  if (options.key !== undefined) known.push(await anchorVerificationKey(options.key))
  return async (jws) => {
    if (typeof jws !== 'string' || jws.length > MOST_CHARS) throw isNone()
    return anchorOf(await verified(jws, (header) => keyFor(header, known)))
  }
}

async function signed(payload: object, { alg, kid, key }: AnchorKey): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify(payload))
  return new CompactSign(text).setProtectedHeader({ alg, kid, typ: TYPE }).sign(key)
}

/** @throws AnchorInvalidError */
async function verified(jws: string, keyFor: (header: CompactJWSHeaderParameters) => AnchorKey): Promise<unknown> {
  try {
    const { payload } = await compactVerify(jws, (header) => {
      if (header.typ !== TYPE) throw isNone()
      return keyFor(header).key
    })
    return JSON.parse(new TextDecoder().decode(payload))
  } catch (error) {
    if (error instanceof AnchorInvalidError) throw error
    if (error instanceof errors.JWSSignatureVerificationFailed)
      throw new AnchorInvalidError('its signature is not good: it was altered')
    throw isNone()
  }
}

function isNone(): AnchorInvalidError {
  return new AnchorInvalidError(`it is no compact JWS of the type ${TYPE}`)
}

/** Whoever has the key has made it as `makeAnchor` does, or as a newer version does. */
function anchorOf(payload: unknown): Anchor {
  const { log, iat, segment, last }: Record<string, unknown> = Object(payload)
  const { number, to, link } = (segment ?? {}) as Partial<NonNullable<Anchor['segment']>>
  const { position, commit } = (last ?? {}) as Partial<NonNullable<Anchor['last']>>
  const isSegment = segment === undefined || (isPosition(number) && isPosition(to) && typeof link === 'string')
  const isLast = last === undefined || (isPosition(position) && typeof commit === 'string')
  if (typeof log !== 'string' || !isTime(iat) || !isSegment || !isLast)
    throw new AnchorInvalidError('it does not say what an anchor says: a newer version may have made it')
  return {
    log,
    at: iat * 1_000,
    ...(isPosition(number) && isPosition(to) && link !== undefined && { segment: { number, to, link } }),
    ...(isPosition(position) && commit !== undefined && { last: { position, commit } }),
  }
}

/** In seconds, and a moment that a Date can hold. */
function isTime(iat: unknown): iat is number {
  return Number.isSafeInteger(iat) && Number(iat) >= 0 && Number(iat) <= LATEST_TIME / 1_000
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0
}

/** As no fail-over can undo it. */
async function lastCommit(store: EventStore): Promise<Anchor['last']> {
  const end = await store.end()
  const found = await store.entries({ after: Math.max(0, end - LOOK_BACK), limit: LOOK_BACK })
  const last = found.findLast((entry) => entry.kind === 'commit')
  return last && { position: last.position, commit: last.commit.id }
}
