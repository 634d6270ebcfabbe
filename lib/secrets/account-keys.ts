import { type Clock, oncePerTurn, onNextTurn } from '../clock.ts'
import { KeyUnknownError, StoreUnavailableError } from '../errors.ts'
import type { AccountKeyRecord } from '../log/account-key-table.ts'
import type { Commit, Json } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { isSame, ownerIfReadable, sealedOwner } from './account-key-owner.ts'
import { type Account, accountNames } from './account-names.ts'
import { type DataKey, dataKeyIn, type KeyRing } from './key-ring.ts'

/** So many keys are held, and so long, in milliseconds. */
const MOST_HELD = 50_000
const HELD_MS = 600_000

/** So many are asked for with one command. */
const FOUND_AT_ONCE = 500

/** Others may make, retire and seal the same key meanwhile; so often it is looked again. */
const MOST_TRIES = 8

/** Whoever asks for a key. */
interface Caller {
  resolve(key: DataKey | 'destroyed'): void
  reject(error: unknown): void
}

/**
 * Seals what is stored of an account with a key of its own, which can be destroyed: so a log that only grows forgets
 * somebody. What no account is known for is sealed with the ring.
 *
 * Keys are held for a while. That one is not the account's any more is told by the log: a sign-out comes with it, and
 * whoever follows the log has seen that before he writes. Where the log is not followed, the table is asked each time.
 */
export class AccountKeys {
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #sealing: Held<DataKey>
  readonly #opening: Held<DataKey | 'destroyed'>
  readonly #obtaining = new Map<string, Promise<DataKey>>()
  readonly #wanted = new Map<string, Caller[]>()
  readonly #schedule = oncePerTurn(() => void this.#findWanted())
  #ring: KeyRing
  /** Raised when it may be that a key is not the account's any more. */
  #epoch = 0
  readonly #isFollowed: () => boolean

  /** @param isFollowed - whether this is told of every commit, by `seen` or `startOver` */
  constructor(store: EventStore, clock: Clock, isFollowed: () => boolean = () => false) {
    this.#store = store
    this.#isFollowed = isFollowed
    this.#clock = clock
    this.#ring = store.keys
    this.#sealing = new Held(clock)
    this.#opening = new Held(clock)
  }

  /** Hashes ids, and seals what is nobody's. */
  get ring(): KeyRing {
    return this.#store.keys
  }

  /**
   * What `value` looks like in a dump.
   *
   * @param account - whose it is; undefined: nobody's that is known
   * @throws whatever the store throws: nothing was sealed
   */
  async seal(value: Json, stream: string, account: Account | undefined): Promise<string> {
    return this.#store.keys.seal(value, stream, account && (await this.#keyOf(account)))
  }

  /**
   * The same for what is only stored again: sealed with the account's key that it was sealed with, also where the account
   * has another one by now. Whoever forgets the account meanwhile forgets this as well.
   *
   * @param before - as it was sealed
   * @returns undefined: the key was destroyed
   * @throws KeyUnknownError (`KEY_UNKNOWN`), SealBrokenError (`SEAL_BROKEN`), and whatever the store throws
   */
  async sealAgain(
    value: Json,
    stream: string,
    account: Account | undefined,
    before: string,
  ): Promise<string | undefined> {
    const id = dataKeyIn(before)
    if (id === undefined) return this.seal(value, stream, account)
    const key = await this.#keyWithId(id)
    return key === 'destroyed' ? undefined : this.#store.keys.seal(value, stream, key)
  }

  /**
   * What was sealed. Undefined: the account's key was destroyed.
   *
   * @throws KeyUnknownError (`KEY_UNKNOWN`), SealBrokenError (`SEAL_BROKEN`), and whatever the store throws
   */
  async open(sealed: string, stream: string): Promise<Json | undefined> {
    const id = dataKeyIn(sealed)
    const key = id === undefined ? undefined : await this.#keyWithId(id)
    return key === 'destroyed' ? undefined : this.#store.keys.open(sealed, stream, key)
  }

  /** Whether what was sealed can still be opened, as far as this process knows without asking. */
  isAtHand(sealed: string): boolean {
    const id = dataKeyIn(sealed)
    if (id === undefined) return true
    const key = this.#opening.get(id)
    return key !== undefined && key !== 'destroyed'
  }

  /** These commits were found in the log. */
  seen(commits: readonly Commit[]): void {
    for (const { events } of commits) {
      for (const { type, stream, also = [], data } of events) {
        if (type === 'account.signed_out') {
          this.#epoch++
          for (const name of [stream, ...also]) this.#sealing.delete(name)
        } else if (type === 'account.forgotten') this.drop((data['keys'] ?? []) as readonly string[])
      }
    }
  }

  /** These are destroyed. */
  drop(ids: readonly string[]): void {
    for (const id of ids) this.#opening.delete(id)
    this.#epoch++
    this.#sealing.deleteWhere(({ id }) => ids.includes(id))
  }

  /** Commits may have been missed. */
  startOver(): void {
    this.#epoch++
    this.#sealing.clear()
  }

  async #keyOf(account: Account): Promise<DataKey> {
    this.#dropUnderAnotherRing()
    const names = accountNames(this.#store.keys, account)
    const [name] = names
    const held = this.#isFollowed() ? this.#sealing.get(name) : undefined
    if (held) return held
    // Whoever asks in the same turn gets the same answer; an answer that was asked for earlier may be that of before.
    let obtaining = this.#obtaining.get(name)
    if (!obtaining) {
      // A sign-out that comes before the log is followed is not told of.
      const [epoch, wasFollowed] = [this.#epoch, this.#isFollowed()]
      obtaining = this.#obtain(account, names).then((key) => {
        if (wasFollowed && this.#isFollowed() && epoch === this.#epoch) this.#sealing.set(name, key)
        return key
      })
      this.#obtaining.set(name, obtaining)
      onNextTurn(() => this.#obtaining.delete(name))
    }
    return obtaining
  }

  async #obtain(account: Account, names: readonly string[]): Promise<DataKey> {
    const { keys, accountKeys } = this.#store
    const made = keys.makeDataKey()
    const sealedAs = { id: made.key.id, sealed: made.sealed, account: sealedOwner(keys, account, made.key) }
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
      const record = await accountKeys.obtain(names, { ...sealedAs, usedAt: this.#clock.now() })
      const owner = ownerIfReadable(keys, record)
      if (!owner) {
        // The key of the ring that sealed it was lost: the account goes on with another one.
        await accountKeys.retire(names)
      } else if (!isSame(owner, account)) {
        // Somebody has changed what keys are found by. Whose one is the key itself tells.
        const own = [...record.names.filter((name) => !names.includes(name)), ...accountNames(keys, owner)]
        await accountKeys.reseal(record, { sealed: record.sealed ?? '', names: [...new Set(own)] })
      } else {
        const key = this.#opened(record)
        const isOld = keys.ringKeyIn(record.sealed ?? '') !== keys.sealsWith
        if (isOld) await accountKeys.reseal(record, { sealed: keys.sealDataKey(key), names: record.names })
        return key
      }
    }
    throw new StoreUnavailableError('the key of an account is changed all the time by others: try again')
  }

  #keyWithId(id: string): Promise<DataKey | 'destroyed'> {
    this.#dropUnderAnotherRing()
    const held = this.#opening.get(id)
    if (held) return Promise.resolve(held)
    return new Promise((resolve, reject) => {
      const callers = this.#wanted.get(id)
      if (callers) callers.push({ resolve, reject })
      else this.#wanted.set(id, [{ resolve, reject }])
      this.#schedule()
    })
  }

  async #findWanted(): Promise<void> {
    const wanted = new Map([...this.#wanted].slice(0, FOUND_AT_ONCE))
    for (const id of wanted.keys()) this.#wanted.delete(id)
    if (this.#wanted.size > 0) this.#schedule()
    try {
      const records = await this.#store.accountKeys.find([...wanted.keys()])
      const found = new Map(records.map((record) => [record.id, record]))
      for (const [id, callers] of wanted) this.#answer(id, found.get(id), callers)
    } catch (error) {
      for (const { reject } of [...wanted.values()].flat()) reject(error)
    }
  }

  #answer(id: string, record: AccountKeyRecord | undefined, callers: readonly Caller[]): void {
    try {
      if (!record) throw new KeyUnknownError(MISSING(id))
      const key = record.destroyedAt === undefined ? this.#opened(record) : 'destroyed'
      if (key === 'destroyed') this.#opening.set(id, key)
      for (const { resolve } of callers) resolve(key)
    } catch (error) {
      for (const { reject } of callers) reject(error)
    }
  }

  /** @throws KeyUnknownError (`KEY_UNKNOWN`), SealBrokenError (`SEAL_BROKEN`) */
  #opened({ id, sealed = '' }: AccountKeyRecord): DataKey {
    const key = this.#store.keys.openDataKey(id, sealed)
    this.#opening.set(id, key)
    return key
  }

  /** Another ring may not be able to open what is held. */
  #dropUnderAnotherRing(): void {
    if (this.#store.keys === this.#ring) return
    this.#ring = this.#store.keys
    this.#opening.clear()
    this.startOver()
  }
}

const MISSING = (id: string): string =>
  `the key ${id} of an account is not among the log's account keys any more: restore them from the backup`

/** What was used last, for a while. */
class Held<T> {
  readonly #clock: Clock
  readonly #entries = new Map<string, { readonly value: T; readonly until: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    if (entry.until > this.#clock.monotonic()) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: T): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until: this.#clock.monotonic() + HELD_MS })
    if (this.#entries.size <= MOST_HELD) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  deleteWhere(isMeant: (value: T) => boolean): void {
    for (const [key, { value }] of this.#entries) if (isMeant(value)) this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
