import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { KeysInvalidError, KeyUnknownError, SealBrokenError } from '../errors.ts'
import type { Json } from '../log/commit.ts'
import { nonce } from './nonce.ts'

/** A key with its name. The name is stored beside what the key sealed. */
export interface Key {
  /** 1 to 32 letters, digits, `-` or `_`. */
  readonly id: string
  /** 32 random bytes, as base64url text or as bytes. */
  readonly secret: string | Uint8Array
}

/**
 * The keys of a store, newest first. The first of each list is used to write; all are used to read. To rotate the
 * hashing key without downtime: add the new one as second in every process, then make it first, and remove the old one
 * after the longest lifetime of anything stored.
 */
export interface Keys {
  readonly sealing: readonly Key[]
  readonly hashing: readonly Key[]
  /**
   * Ids of former sealing keys that are configured no more, since nothing that they sealed is needed. A store that
   * remembers its keys refuses to open without one of them, unless it is named here once.
   */
  readonly retired?: readonly string[]
}

const OPTIONS: ReadonlySet<string> = new Set(['sealing', 'hashing', 'retired'])

/** A key that lies beside the log, sealed with a key of the ring, and that can be destroyed: see `AccountKeys`. */
export interface DataKey {
  readonly id: string
  readonly bytes: Buffer
}
/** What keys for anchors are derived for. */
const ANCHORS = 'oidc-provider-eventstore anchors'

const SEALING_FINGERPRINT = 'oidc-provider-eventstore sealing fingerprint'

/** Stands before the id of a data key; no id of the ring begins with it. */
const DATA_KEY = '~'

/** 64 digits, which are 32 bytes as hex; read as base64url they are 48. */
const HEX = /^[0-9a-fA-F]{64}$/

/** How many hashed ids are remembered, and up to which length: anybody may ask for a long one. */
const RECENT = 2_000
const RECENT_CHARS = 128

interface Secret {
  readonly id: string
  readonly bytes: Buffer
}

/** Makes the secret of a new key: 32 random bytes as base64url. */
export function generateSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Keys that nobody keeps: what was stored under them is unreadable once the process ends. */
export function ephemeralKeys(): Keys {
  return {
    sealing: [{ id: 'ephemeral', secret: generateSecret() }],
    hashing: [{ id: 'ephemeral', secret: generateSecret() }],
  }
}

/**
 * Keeps credentials out of the log. Ids that are bearer values become HMACs; payloads are sealed with AES-256-GCM, with
 * the stream as associated data, so that a payload moved to another stream does not open.
 */
export class KeyRing {
  readonly #sealing: readonly Secret[]
  readonly #hashing: readonly Secret[]
  readonly #retired: readonly string[]
  /** The same ids are asked for several times in a request. */
  readonly #recent = new Map<string, [string, ...string[]]>()

  /** @throws KeysInvalidError (`KEYS_INVALID`) */
  constructor(keys: Keys) {
    if (keys === undefined || keys === null)
      throw new KeysInvalidError('`keys` is missing: { sealing: [key], hashing: [key] }')
    if (typeof keys !== 'object') {
      const parse = typeof keys === 'string' ? '; parse the JSON text first' : ''
      throw new KeysInvalidError(`\`keys\` must be an object, { sealing: [key], hashing: [key] }${parse}`)
    }
    for (const option of Object.keys(keys)) {
      if (!OPTIONS.has(option)) throw new KeysInvalidError(`\`keys.${option}\` is not known`)
    }
    this.#sealing = secretsOf(keys.sealing, 'keys.sealing')
    this.#hashing = secretsOf(keys.hashing, 'keys.hashing')
    this.#retired = retiredOf(keys.retired, this.#sealing)
  }

  /**
   * The names under which a thing's stream may be found: one for each hashing key, the writing key's first.
   *
   * @param kind - what it is, kept in the clear (`Session`, `uid`, …)
   * @param id - its id, which must not be stored
   */
  streams(kind: string, id: string): [string, ...string[]] {
    const key = `${kind}\0${id}`
    let names = this.#recent.get(key)
    if (!names) {
      names = this.#hash(kind, id)
      if (this.#recent.size >= RECENT) this.#recent.clear()
      if (key.length <= RECENT_CHARS) this.#recent.set(key, names)
    }
    return [...names]
  }

  #hash(kind: string, id: string): [string, ...string[]] {
    const names = this.#hashing.map(({ bytes }) => {
      // UTF-16, the string as it is: in UTF-8 all halves of surrogate pairs look alike.
      const mac = createHmac('sha256', bytes).update(kind).update('\0').update(Buffer.from(id, 'utf16le'))
      return `${kind}:${mac.digest('base64url')}`
    })
    return names as [string, ...string[]]
  }

  /**
   * What `value` looks like in a dump: the key's id and the ciphertext, as one string.
   *
   * @param dataKey - seals it in place of the ring's first key
   */
  seal(value: Json, stream: string, dataKey?: DataKey): string {
    if (dataKey) return encrypt({ ...dataKey, id: `${DATA_KEY}${dataKey.id}` }, value, stream)
    return encrypt(this.#sealing[0] as Secret, value, stream)
  }

  /**
   * @param dataKey - the one that `dataKeyIn()` tells
   * @throws KeyUnknownError (`KEY_UNKNOWN`), SealBrokenError (`SEAL_BROKEN`)
   */
  open(sealed: string, stream: string, dataKey?: DataKey): Json {
    const dataKeyId = dataKeyIn(sealed)
    if (dataKeyId !== undefined) {
      if (dataKey?.id !== dataKeyId)
        throw new KeyUnknownError(`${stream} is sealed with the key ${dataKeyId} of an account, which is not at hand`)
      return decrypt(dataKey, sealed, stream)
    }
    const id = idIn(sealed)
    const secret = this.#sealing.find((key) => key.id === id)
    if (!secret) {
      throw new KeyUnknownError(
        `${stream} is sealed with key "${id}", which is not among keys.sealing (${this.#sealing.map((key) => key.id).join(', ')}): ` +
          'configure it as a second key until nothing sealed with it is left',
        { keyId: id },
      )
    }
    return decrypt(secret, sealed, stream)
  }

  /** Whether the operators say that nothing which this sealing key has sealed is needed any more. */
  isRetired(keyId: string | undefined): boolean {
    return keyId !== undefined && this.#retired.includes(keyId)
  }

  /** A new data key, and what is stored of it. */
  makeDataKey(): { readonly key: DataKey; readonly sealed: string } {
    const key = { id: randomBytes(9).toString('base64url'), bytes: randomBytes(32) }
    return { key, sealed: this.sealDataKey(key) }
  }

  /** What is stored of a data key: it, sealed with the ring's first key. */
  sealDataKey({ id, bytes }: DataKey): string {
    return this.seal(bytes.toString('base64url'), dataKeyName(id))
  }

  /** @throws KeyUnknownError (`KEY_UNKNOWN`), SealBrokenError (`SEAL_BROKEN`) */
  openDataKey(id: string, sealed: string): DataKey {
    return { id, bytes: Buffer.from(String(this.open(sealed, dataKeyName(id))), 'base64url') }
  }

  /** The id of the key of the ring that sealed it. Undefined: a data key did. */
  ringKeyIn(sealed: string): string | undefined {
    return dataKeyIn(sealed) === undefined ? idIn(sealed) : undefined
  }

  /** The id of the ring's first key, which seals. */
  get sealsWith(): string {
    return (this.#sealing[0] as Secret).id
  }

  /** The id of the ring's former key that has sealed this. Undefined: none of them has, whatever it is. */
  formerKeyIn(text: string): string | undefined {
    const id = idIn(text)
    return this.#sealing.slice(1).some((key) => key.id === id) ? id : undefined
  }

  /**
   * The same under each hashing key that has not wrapped it yet, for what a store cannot do without: whoever loses those
   * keys loses all that they name anyhow, and a lost sealing key does no harm to it.
   */
  wrapMissing(wrapped: readonly string[], value: Json, name: string): string[] {
    const known = new Set(wrapped.map(idIn))
    const missing = this.#hashing.filter(({ id }) => !known.has(id))
    return missing.map((secret) => encrypt(secret, value, `wrap ${name}`))
  }

  /** @throws KeyUnknownError (`KEY_UNKNOWN`), SealBrokenError (`SEAL_BROKEN`) */
  unwrap(wrapped: readonly string[], name: string): Json {
    for (const one of wrapped) {
      const secret = this.#hashing.find((key) => key.id === idIn(one))
      if (secret) return decrypt(secret, one, `wrap ${name}`)
    }
    throw new KeyUnknownError(
      `${name} is wrapped with the hashing keys ${wrapped.map(idIn).join(', ')}, none of which is among keys.hashing: ` +
        'configure one of them as a second key until the store was opened with both',
    )
  }

  /** Keys for HMACs over what is kept elsewhere, one for each hashing key, the writing key's first. */
  anchorSecrets(): readonly { readonly id: string; readonly secret: Uint8Array }[] {
    return this.#hashing.map(({ id, bytes }) => ({
      id,
      secret: new Uint8Array(hkdfSync('sha256', bytes, '', ANCHORS, 32)),
    }))
  }

  /**
   * What a store remembers of its hashing keys, to notice later that it was opened with other ones and would find
   * nothing. Tells nothing about the keys.
   */
  hashingFingerprints(): string[] {
    return this.#hashing.map((secret) => fingerprint(secret, 'oidc-provider-eventstore fingerprint'))
  }

  /** What a store remembers of the key that seals. Tells nothing about it. */
  sealingFingerprint(): string {
    return fingerprint(this.#sealing[0] as Secret, SEALING_FINGERPRINT)
  }

  /**
   * Compares with the keys that the store remembers to have sealed with. Returns those of them that are retired, to be
   * forgotten.
   *
   * @throws KeyUnknownError (`KEY_UNKNOWN`) when one of them is missing, or when its id now stands for another secret
   */
  assertSealingKnown(remembered: readonly string[]): string[] {
    const prints = new Map(this.#sealing.map((secret) => [secret.id, fingerprint(secret, SEALING_FINGERPRINT)]))
    const retired: string[] = []
    for (const print of remembered) {
      const id = print.slice(0, print.lastIndexOf('.'))
      if (this.#retired.includes(id)) retired.push(print)
      else if (!prints.has(id)) {
        throw new KeyUnknownError(
          `this store was written with the sealing key "${id}", which is not among keys.sealing: configure it behind the ` +
            'first one; once nothing that it sealed is needed any more, name it in keys.retired',
        )
      } else if (prints.get(id) !== print) {
        throw new KeyUnknownError(
          `the sealing key "${id}" is not the one that this store was written with, which had the same id: configure the ` +
            'former secret under that id, and give the new key an id of its own',
        )
      }
    }
    return retired
  }

  /**
   * Compares with what the store remembers.
   *
   * @throws KeyUnknownError (`KEY_UNKNOWN`) when none of the keys that the store was written with is configured
   */
  assertHashingKnown(remembered: readonly string[]): void {
    if (remembered.length === 0) return
    if (this.hashingFingerprints().some((print) => remembered.includes(print))) return
    const former = remembered.map((print) => print.slice(0, print.lastIndexOf('.')))
    const ids = former.join(', ')
    const impostor = this.#hashing.find(({ id }) => former.includes(id))
    if (impostor) {
      throw new KeyUnknownError(
        `the hashing key "${impostor.id}" is not the one that this store was written with, which had the same id: nothing ` +
          'stored would be found. Configure the former secret under that id, and give the new key an id of its own',
      )
    }
    throw new KeyUnknownError(
      `none of keys.hashing is one that this store was written with (${ids}): nothing stored would be found. ` +
        'Configure the former key; to rotate, add the new key as the second one first',
    )
  }
}

/** The id of the data key that sealed it. Undefined: a key of the ring did. */
export function dataKeyIn(sealed: string): string | undefined {
  return sealed.startsWith(DATA_KEY) ? idIn(sealed).slice(DATA_KEY.length) : undefined
}

function dataKeyName(id: string): string {
  return `data_key:${id}`
}

function idIn(sealed: string): string {
  return sealed.slice(0, sealed.indexOf('.'))
}

function encrypt({ id, bytes }: Secret, value: Json, stream: string): string {
  const iv = nonce(12)
  const cipher = createCipheriv('aes-256-gcm', streamKey(bytes, stream), iv).setAAD(Buffer.from(stream))
  const text = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()])
  return `${id}.${Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url')}`
}

/** @throws SealBrokenError (`SEAL_BROKEN`) */
function decrypt({ bytes }: Pick<Secret, 'bytes'>, sealed: string, stream: string): Json {
  try {
    const raw = Buffer.from(sealed.slice(sealed.indexOf('.') + 1), 'base64url')
    const decipher = createDecipheriv('aes-256-gcm', streamKey(bytes, stream), raw.subarray(0, 12), {
      authTagLength: 16,
    })
      .setAAD(Buffer.from(stream))
      .setAuthTag(raw.subarray(12, 28))
    return JSON.parse(Buffer.concat([decipher.update(raw.subarray(28)), decipher.final()]).toString('utf8')) as Json
  } catch (cause) {
    throw new SealBrokenError(stream, { cause })
  }
}

function fingerprint({ id, bytes }: Secret, purpose: string): string {
  return `${id}.${Buffer.from(hkdfSync('sha256', bytes, '', purpose, 12)).toString('base64url')}`
}

/** A key of its own for each stream: random nonces of GCM are safe for 2^32 messages a key (NIST SP 800-38D, 8.3). */
function streamKey(secret: Buffer, stream: string): Buffer {
  return createHmac('sha256', secret).update('seal\0').update(stream).digest()
}

function retiredOf(retired: readonly string[] | undefined, sealing: readonly Secret[]): readonly string[] {
  if (retired === undefined) return []
  if (!Array.isArray(retired) || !retired.every((id) => typeof id === 'string')) {
    throw new KeysInvalidError('`keys.retired` must be the ids of former sealing keys')
  }
  const both = sealing.find(({ id }) => retired.includes(id))
  if (both)
    throw new KeysInvalidError(
      `the key "${both.id}" is in \`keys.retired\` and in \`keys.sealing\`: take it out of one of them`,
    )
  return retired
}

function secretsOf(keys: readonly Key[], name: string): readonly Secret[] {
  if (keys !== undefined && !Array.isArray(keys)) throw new KeysInvalidError(`\`${name}\` must be an array of keys`)
  if (keys === undefined || keys.length === 0) throw new KeysInvalidError(`\`${name}\` needs at least one key`)
  const secrets = keys.map((key: Key, index) => {
    const at = `\`${name}[${index}]\``
    if (typeof key?.id !== 'string' || !/^[A-Za-z0-9_-]{1,32}$/.test(key.id)) {
      throw new KeysInvalidError(`${at} needs an id: text of 1 to 32 letters, digits, - or _`)
    }
    if (typeof key.secret !== 'string' && !(key.secret instanceof Uint8Array))
      throw new KeysInvalidError(`${at} ("${key.id}") needs a secret: base64url text, or bytes`)
    const bytes = typeof key.secret === 'string' ? Buffer.from(key.secret, 'base64url') : Buffer.from(key.secret)
    if (bytes.length !== 32) {
      const encoding = typeof key.secret === 'string' && HEX.test(key.secret) ? ' as base64url (it looks like hex)' : ''
      throw new KeysInvalidError(`${at} ("${key.id}") has ${bytes.length} bytes${encoding}, 32 are needed`)
    }
    return { id: key.id, bytes }
  })
  const twice = secrets.find(({ id }, index) => secrets.findIndex((other) => other.id === id) !== index)
  if (twice) throw new KeysInvalidError(`\`${name}\` has two keys with the id "${twice.id}": give each one of its own`)
  return secrets
}
