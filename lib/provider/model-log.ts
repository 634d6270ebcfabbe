import type { Clock } from '../clock.ts'
import { KeyUnknownError } from '../errors.ts'
import { type Commit, type Event, isIn, streamsOf } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { AccountKeys } from '../secrets/account-keys.ts'
import type { LookUp, NewestCommits } from './look-up.ts'
import { endsStream, foldRecord, type LocatedEvent, type ModelRecord, NO_RECORD, ownNames } from './model-record.ts'
import { type ModelState, openState } from './model-state.ts'
import { hasGivenIds, isShared } from './models.ts'
import { Moment } from './moment.ts'
import { StreamReader, WINDOW } from './stream-reader.ts'

/** More commits than a grant's state may lie below, in its stream: its revocations, and late saves of former generations. */
const LONG_WINDOW = 256

/** With so many commits or fewer a session is looked up together with others. */
const SESSION_ROOM = 8

/** How many generations in a row may turn out to be over: more only where a stream has more late saves than are read. */
const MAX_GENERATIONS = 16

/** The newest commit of a session's uid: the state that it left, or the end. */
export type SessionHead = { readonly state: ModelState } | { readonly ended: SessionEnd }

/** The commit that ended a session. */
export interface SessionEnd {
  /** When it was appended, milliseconds since 1970. */
  readonly at: number
  readonly commit: string
  readonly position: number
  /** The streams that the end names. */
  readonly streams: readonly string[]
}

/** How a log is read. */
export interface ModelLogOptions {
  /** The issuers whose commits are found; empty: those of all. Default: all. */
  readonly issuers?: () => readonly string[]
  /** So many bytes of what was read are held, about; 0: none. Default: 64 MiB. */
  readonly heldBytes?: number | undefined
}

/** What one unit of work sees of a log. */
interface View {
  readonly shared: Shared
  readonly moment: Moment
}

/** What all views of a log share. */
interface Shared {
  readonly reader: StreamReader
  readonly accountKeys: AccountKeys
  /** States that were opened, by the event that stored them: an event is opened once with the same keys. */
  readonly opened: WeakMap<object, { readonly keys: EventStore['keys']; readonly state: ModelState }>
}

/**
 * Reads the provider's models from the log. Two issuers may share a log: what one has stored the other does not find,
 * even when it is asked with the right cookie, code or token.
 */
export class ModelLog {
  readonly store: EventStore
  readonly #clock: Clock
  readonly #options: ModelLogOptions
  readonly #shared: Shared
  readonly #moment: Moment | undefined

  constructor(store: EventStore, clock: Clock, options: ModelLogOptions = {}, view?: View) {
    this.store = store
    this.#clock = clock
    this.#options = options
    this.#shared = view?.shared ?? sharedOf(store, clock, options)
    this.#moment = view?.moment
  }

  /** The same log for one unit of work: what it reads first sets the moment that it sees. */
  atOneMoment(): ModelLog {
    return new ModelLog(this.store, this.#clock, this.#options, { shared: this.#shared, moment: new Moment() })
  }

  /** Seals and opens what is stored. */
  get accountKeys(): AccountKeys {
    return this.#shared.accountKeys
  }

  /** From now on another moment is seen: whatever was appended until now is found. */
  lookAgain(): void {
    this.#moment?.end()
  }

  /** The issuers whose commits are found: the provider's own, and those that it had before. */
  get issuers(): readonly string[] {
    return this.#options.issuers?.() ?? []
  }

  /** The state of a model instance. Undefined: it does not exist. */
  find(model: string, id: string): Promise<ModelState | undefined> {
    return this.findUnder(model, this.store.keys.streams(model, id))
  }

  /** @param names - the streams of the model instance, or those of them that are known */
  async findUnder(model: string, names: readonly string[]): Promise<ModelState | undefined> {
    return this.open(model, await this.recordUnder(model, names))
  }

  /**
   * What the log holds of a model instance, without opening it. Costs one command, however often it was stored; one more
   * for a grant, client or model of an application's own with more commits than one look-up reads.
   */
  async record(model: string, id: string): Promise<ModelRecord> {
    return this.recordUnder(model, this.store.keys.streams(model, id))
  }

  /** @param names - the streams of the model instance, or those of them that are known */
  async recordUnder(model: string, names: readonly string[]): Promise<ModelRecord> {
    if (model === 'Session') return foldRecord(this.#own(model, await this.#newest(names, 2), names))
    const { commits, complete } = await this.#read({ names, wanted: WINDOW, room: WINDOW })
    const record = foldRecord(this.#own(model, commits, names))
    return complete || !hasGivenIds(model) ? record : this.#longRecord(model, names, commits, record)
  }

  /**
   * The record of a stream that is longer than one look-up reads. What was read may all belong to a generation whose end
   * lies below it: then the next generation is looked at, until one has not ended.
   */
  async #longRecord(
    model: string,
    names: readonly string[],
    commits: readonly Commit[],
    newest: ModelRecord,
  ): Promise<ModelRecord> {
    const read = new Map(commits.map((commit) => [commit.position, commit]))
    let record = newest
    let isReadFar = false
    for (let rounds = 0; rounds < MAX_GENERATIONS; rounds++) {
      const { generation, stored } = record
      const [ends, older] = await Promise.all([
        this.store.readStreams(names.map((name) => endsStream(name, generation))),
        stored || isReadFar ? [] : this.#newest(names, LONG_WINDOW),
      ])
      isReadFar ||= !stored
      for (const commit of [...ends, ...older]) read.set(commit.position, commit)
      const all = [...read.values()].sort((a, b) => a.position - b.position)
      record = foldRecord(this.#own(model, all, names))
      if (record.generation === generation) break
    }
    return record
  }

  /**
   * The state that a record points to. What is sealed with a key that the operators have retired does not exist any more, nor
   * what has expired and whose key is gone, nor what belongs to an account that was forgotten.
   *
   * @throws KeyUnknownError (`KEY_UNKNOWN`), SealBrokenError (`SEAL_BROKEN`), and whatever the store throws
   */
  async open(model: string, record: ModelRecord): Promise<ModelState | undefined> {
    if (!record.stored) return undefined
    const { event } = record.stored
    const { accountKeys, opened } = this.#shared
    const { keys } = this.store
    const known = record.consumedAt === undefined ? opened.get(event) : undefined
    if (known?.keys === keys && accountKeys.isAtHand(String(event.data['sealed']))) return known.state
    try {
      const state = await openState(accountKeys, model, record)
      if (record.consumedAt === undefined && state) opened.set(event, { keys, state })
      return state
    } catch (error) {
      const isOver =
        error instanceof KeyUnknownError && (this.#isExpired(event.data['exp']) || keys.isRetired(error.keyId))
      if (isOver) return undefined
      throw error
    }
  }

  /** The newest commit that names the uid decides: every write of a session whose uid is known names it, its end too. */
  findSession(uid: string): Promise<SessionHead | undefined> {
    return this.findSessionUnder(this.store.keys.streams('uid', uid))
  }

  /**
   * @param names - the streams of the uid, or those of them that are known: an old commit names it by hashing keys that
   *   newer ones may not name it by
   */
  async findSessionUnder(names: readonly string[]): Promise<SessionHead | undefined> {
    const commit = await this.newestIn(names)
    if (!commit) return undefined
    const stored = eventsIn([commit], names).filter(({ event }) => event.type === 'stored')
    if (stored.length > 0 && this.isForeign('Session', commit)) return undefined
    const state = await this.open('Session', foldRecord(stored))
    if (state) {
      const others = this.store.keys
        .streams('uid', String(state.payload['uid']))
        .filter((name) => !names.includes(name))
      return others.length > 0 ? this.findSessionUnder([...names, ...others]) : { state }
    }
    const { at, id, position } = commit
    return { ended: { at, commit: id, position, streams: streamsOf(commit.events) } }
  }

  /**
   * The session that went on under another cookie value when this one was destroyed: a rotation destroys one and stores
   * another of the same uid in one commit. Undefined: it ended, or never was.
   */
  async findRotated(id: string): Promise<ModelState | undefined> {
    const names = this.store.keys.streams('Session', id)
    const commit = await this.newestIn(names)
    const destroyed = commit?.events.find(
      (event) => event.type === 'destroyed' && names.some((name) => isIn(event, name)),
    )
    const uid = destroyed?.also?.find((name) => name.startsWith('uid:'))
    if (uid === undefined || !commit?.events.some((event) => event.type === 'stored' && isIn(event, uid)))
      return undefined
    const head = await this.findSessionUnder([uid])
    return head && 'state' in head ? head.state : undefined
  }

  /**
   * The device code that was stored last under a user code, which may have stood for another one before.
   *
   * @returns the device code's id, and what the log holds of it
   */
  async findDeviceCode(userCode: string): Promise<{ readonly id: string; readonly record: ModelRecord }> {
    const names = this.store.keys.streams('user_code', userCode)
    const { commits } = await this.#read({ names, wanted: WINDOW, room: WINDOW })
    const newest = this.#own('DeviceCode', commits, names).findLast(({ event }) => event.type === 'stored')
    if (!newest) return { id: '', record: NO_RECORD }
    const record = await this.recordUnder('DeviceCode', ownNames('DeviceCode', newest.event))
    return { id: String((await this.open('DeviceCode', record))?.payload['jti'] ?? ''), record }
  }

  /** The streams of the uid whose session holds, or held last, the login with this `sid`. */
  async sessionWithSid(sid: string): Promise<string[] | undefined> {
    const names = this.store.keys.streams('sid', sid)
    const newest = await this.newestIn(names)
    const [found] = newest ? eventsIn([newest], names) : []
    const uids = found?.event.also?.filter((name) => name.startsWith('uid:')) ?? []
    return uids.length > 0 ? uids : undefined
  }

  /** The streams of the uids whose sessions a commit stores: each by all its names. */
  sessionsStoredBy(commit: Commit): string[][] {
    if (this.isForeign('Session', commit)) return []
    return commit.events
      .filter(({ stream, type }) => type === 'stored' && stream.startsWith('Session:'))
      .map(({ also = [] }) => also.filter((name) => name.startsWith('uid:')))
  }

  /** The sessions that a commit stores and that have an account, as it stores them, whatever issuer they are of. */
  loggedInBy(commit: Commit): Promise<ModelState[]> {
    const logins = commit.events
      .filter(({ stream, type }) => type === 'stored' && stream.startsWith('Session:'))
      .filter(({ also = [] }) => also.some((name) => name.startsWith('account:')))
    return this.#opened('Session', commit, logins)
  }

  /** The grants that a commit stores, as it stores them; only those of this client, where one is named. */
  async grantsStoredBy(commit: Commit, clientId?: string): Promise<ModelState[]> {
    if (this.isForeign('Grant', commit)) return []
    const grants = commit.events
      .filter(({ stream, type }) => type === 'stored' && stream.startsWith('Grant:'))
      .filter(({ data }) => clientId === undefined || data['client_id'] === clientId)
    return this.#opened('Grant', commit, grants)
  }

  /** The states that these events of a commit store. */
  async #opened(model: string, commit: Commit, events: readonly Event[]): Promise<ModelState[]> {
    const states = await Promise.all(events.map((event) => this.open(model, foldRecord([{ commit, event }]))))
    return states.filter((state) => state !== undefined)
  }

  /** The newest commit that names any of the streams. */
  async newestIn(names: readonly string[]): Promise<Commit | undefined> {
    return (await this.#newest(names, 1)).at(-1)
  }

  /** What this issuer has stored: for it, what another one stores under the same id is not there. */
  #own(model: string, commits: readonly Commit[], names: readonly string[]): LocatedEvent[] {
    return eventsIn(
      commits.filter((commit) => !this.isForeign(model, commit)),
      names,
    )
  }

  /** Whether another issuer has stored it. What was written before a provider was started belongs to all issuers. */
  isForeign(model: string, { meta: { instance } }: Commit): boolean {
    if (instance === undefined || isShared(model)) return false
    const { issuers } = this
    return issuers.length > 0 && !issuers.includes(instance)
  }

  #isExpired(exp: unknown): boolean {
    return typeof exp === 'number' && exp < this.#clock.now() / 1000
  }

  #read(what: LookUp): Promise<NewestCommits> {
    return this.#shared.reader.newest(what, this.#moment)
  }

  /** The newest commits in any of a thing's names, oldest first. */
  async #newest(names: readonly string[], wanted: number): Promise<readonly Commit[]> {
    const { commits } = await this.#read({ names, wanted, room: Math.max(wanted, SESSION_ROOM) })
    return commits.slice(-wanted)
  }
}

function sharedOf(store: EventStore, clock: Clock, { heldBytes }: ModelLogOptions): Shared {
  const accountKeys: AccountKeys = new AccountKeys(store, clock, () => reader.isFollowing)
  const reader = new StreamReader(store, clock, heldBytes, accountKeys)
  return { reader, accountKeys, opened: new WeakMap() }
}

function eventsIn(commits: readonly Commit[], names: readonly string[]): LocatedEvent[] {
  return commits.flatMap((commit) =>
    commit.events.filter((event) => names.some((name) => isIn(event, name))).map((event) => ({ commit, event })),
  )
}
