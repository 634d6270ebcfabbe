import type { Clock } from '../clock.ts'
import { KeyUnknownError } from '../errors.ts'
import type { Commit, Event } from '../log/commit.ts'
import { isIn, streamsOf } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { foldModel, type ModelState, ownNames } from './model-state.ts'
import { isGrantable, isLong, isShared } from './models.ts'

/** The newest state of a session uid: how it stands, or that it ended. */
export type SessionHead = { readonly state: ModelState } | { readonly ended: SessionEnd }

/** How a session uid stopped being found. */
export interface SessionEnd {
  /** When, milliseconds since 1970. */
  readonly at: number
  readonly commit: string
  readonly position: number
  /** The streams that the end names. */
  readonly streams: readonly string[]
}

/** A token, code or request issued under a grant that has not been revoked or destroyed. */
export interface Granted {
  readonly model: string
  readonly names: readonly string[]
  readonly consumed: boolean
}

/** Far beyond any clock tolerance: a day, in seconds. */
const EXPIRY_TOLERANCE_SECONDS = 86_400

/** What is known of something issued under a grant while its history is read. */
interface Listed {
  readonly model: string
  readonly names: Set<string>
  consumed: boolean
  gone: boolean
  foreign: boolean
  exp: unknown
}

interface Waiting {
  readonly names: readonly string[]
  resolve(commits: readonly Commit[]): void
  reject(error: unknown): void
}

/**
 * Reads the provider's models from the log. Two issuers may share it: what one has stored the other does not find, though
 * it be asked with the right cookie, code or token.
 */
export class ModelLog {
  readonly store: EventStore
  readonly #clock: Clock
  readonly #issuers: () => readonly string[]
  #waiting: Waiting[] = []

  /** @param issuers - whose commits are found; empty: everybody's */
  constructor(store: EventStore, clock: Clock, issuers: () => readonly string[] = () => []) {
    this.store = store
    this.#clock = clock
    this.#issuers = issuers
  }

  async find(model: string, id: string): Promise<ModelState | undefined> {
    const names = this.store.keys.streams(model, id)
    const history = isLong(model) ? await this.#newestTwo(names) : await this.#whole(names)
    return this.#fold(model, eventsIn(history, names))
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
    const [commit] = await this.#newest(names, 1)
    if (!commit) return undefined
    const stored = eventsIn([commit], names).filter(({ event }) => event.type === 'stored')
    if (stored.length > 0 && this.#isForeign('Session', commit)) return undefined
    const state = this.#fold('Session', stored)
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
    const [commit] = await this.#newest(names, 1)
    const destroyed = commit?.events.find(
      (event) => event.type === 'destroyed' && names.some((name) => isIn(event, name)),
    )
    const uid = destroyed?.also?.find((name) => name.startsWith('uid:'))
    if (uid === undefined || !commit?.events.some((event) => event.type === 'stored' && isIn(event, uid)))
      return undefined
    const [newest] = await this.#newest([uid], 1)
    if (!newest) return undefined
    return this.#fold(
      'Session',
      eventsIn([newest], [uid]).filter(({ event }) => event.type === 'stored'),
    )
  }

  /** A user code may have stood for another device code before: the newest one that was stored under it counts. */
  async findDeviceCode(userCode: string): Promise<ModelState | undefined> {
    const names = this.store.keys.streams('user_code', userCode)
    const history = eventsIn(await this.#whole(names), names)
    const newest = history.findLast(
      ({ commit, event }) => event.type === 'stored' && !this.#isForeign('DeviceCode', commit),
    )
    if (!newest) return undefined
    const own = ownNames('DeviceCode', newest.event)
    return this.#fold(
      'DeviceCode',
      history.filter(({ event }) => own.some((name) => isIn(event, name))),
    )
  }

  /**
   * What lives under a grant, whatever its model. What has expired is left out: a grant that is used for years issues
   * more than one commit could revoke.
   */
  async grantedBy(grantId: string): Promise<Granted[]> {
    const names = this.store.keys.streams('grant', grantId)
    const byName = new Map<string, Listed>()
    for (const { commit, event } of eventsIn(await this.#whole(names), names)) {
      const model = event.stream.slice(0, event.stream.indexOf(':'))
      if (!isGrantable(model)) continue
      const own = ownNames(model, event)
      const known = own.map((name) => byName.get(name)).find((listed) => listed !== undefined)
      const listed = known ?? {
        model,
        names: new Set<string>(),
        consumed: false,
        gone: false,
        foreign: false,
        exp: undefined,
      }
      for (const name of own) {
        listed.names.add(name)
        byName.set(name, listed)
      }
      if (event.type === 'consumed' || event.data['consumed'] !== undefined) listed.consumed = true
      if (event.type === 'destroyed' || event.type === 'revoked') listed.gone = true
      if (event.type === 'stored') {
        listed.exp = event.data['exp']
        listed.foreign = this.#isForeign(model, commit)
      }
    }
    return [...new Set(byName.values())]
      .filter(({ gone, foreign, exp }) => !gone && !foreign && !this.#isLongExpired(exp))
      .map(({ model, names: own, consumed }) => ({ model, names: [...own], consumed }))
  }

  /** The streams of the uid whose session holds, or held last, the login with this `sid`. */
  async sessionWithSid(sid: string): Promise<string[] | undefined> {
    const names = this.store.keys.streams('sid', sid)
    const newest = await this.#newest(names, 1)
    const [found] = eventsIn(newest, names)
    const uids = found?.event.also?.filter((name) => name.startsWith('uid:')) ?? []
    return uids.length > 0 ? uids : undefined
  }

  /** The streams of the uids whose sessions a commit stores: each by all its names. */
  sessionsStoredBy(commit: Commit): string[][] {
    if (this.#isForeign('Session', commit)) return []
    return commit.events
      .filter(({ stream, type }) => type === 'stored' && stream.startsWith('Session:'))
      .map(({ also = [] }) => also.filter((name) => name.startsWith('uid:')))
  }

  /** The sessions that a commit stores and that have an account, as it stores them, whatever issuer they are of. */
  loggedInBy(commit: Commit): ModelState[] {
    return commit.events
      .filter(({ stream, type }) => type === 'stored' && stream.startsWith('Session:'))
      .filter(({ also = [] }) => also.some((name) => name.startsWith('account:')))
      .flatMap((event) => this.#open('Session', [{ commit, event }]) ?? [])
  }

  /** The grants that a commit stores, as it stores them; only those of this client, where one is named. */
  grantsStoredBy(commit: Commit, clientId?: string): ModelState[] {
    return commit.events
      .filter(({ stream, type }) => type === 'stored' && stream.startsWith('Grant:'))
      .filter(({ data }) => clientId === undefined || data['client_id'] === clientId)
      .flatMap((event) => this.#fold('Grant', [{ commit, event }]) ?? [])
  }

  #fold(model: string, history: readonly { commit: Commit; event: Event }[]): ModelState | undefined {
    const newest = history.findLast(({ event }) => event.type === 'stored')
    return newest && this.#isForeign(model, newest.commit) ? undefined : this.#open(model, history)
  }

  /** What has expired may be sealed with a key that was retired since: it is not there any more. */
  #open(model: string, history: readonly { commit: Commit; event: Event }[]): ModelState | undefined {
    try {
      return foldModel(this.store.keys, model, history)
    } catch (error) {
      const newest = history.findLast(({ event }) => event.type === 'stored')
      if (error instanceof KeyUnknownError && this.#isExpired(newest?.event.data['exp'])) return undefined
      throw error
    }
  }

  /** Whether another issuer has stored it. What an adapter writes whose provider is not attached is everybody's. */
  #isForeign(model: string, { meta: { instance } }: Commit): boolean {
    if (instance === undefined || isShared(model)) return false
    const issuers = this.#issuers()
    return issuers.length > 0 && !issuers.includes(instance)
  }

  #isExpired(exp: unknown): boolean {
    return typeof exp === 'number' && exp < this.#clock.now() / 1000
  }

  /** Whether it expired so long ago that no provider takes it any more, whatever clock tolerance it is configured with. */
  #isLongExpired(exp: unknown): boolean {
    return typeof exp === 'number' && exp < this.#clock.now() / 1000 - EXPIRY_TOLERANCE_SECONDS
  }

  /** Two commits decide: the state, and perhaps the mark above it. */
  async #newestTwo(names: readonly string[]): Promise<readonly Commit[]> {
    return (await this.#newest(names, 2)).reverse()
  }

  /** The newest commits in any of a thing's names: one look-up for each hashing key, and there is nearly always one. */
  async #newest(names: readonly string[], limit: number): Promise<Commit[]> {
    const found = await Promise.all(names.map((name) => this.store.read(name, { direction: 'backwards', limit })))
    const byPosition = new Map(found.flat().map((commit) => [commit.position, commit]))
    return [...byPosition.values()].sort((a, b) => b.position - a.position).slice(0, limit)
  }

  /** All commits of streams that are short by nature. Look-ups of one tick go as one command. */
  #whole(names: readonly string[]): Promise<readonly Commit[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ names, resolve, reject })
      if (this.#waiting.length === 1) queueMicrotask(() => void this.#readWaiting())
    })
  }

  async #readWaiting(): Promise<void> {
    await undefined
    const waiting = this.#waiting
    this.#waiting = []
    try {
      const commits = await this.store.readStreams([...new Set(waiting.flatMap(({ names }) => names))])
      for (const { names, resolve } of waiting) {
        resolve(commits.filter(({ events }) => events.some((event) => names.some((name) => isIn(event, name)))))
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }
}

function eventsIn(commits: readonly Commit[], names: readonly string[]): { commit: Commit; event: Event }[] {
  return commits.flatMap((commit) =>
    commit.events.filter((event) => names.some((name) => isIn(event, name))).map((event) => ({ commit, event })),
  )
}
