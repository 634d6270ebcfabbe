import type { Commit, Event } from '../log/commit.ts'
import { isIn, streamsOf } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { foldModel, type ModelState, ownNames } from './model-state.ts'
import { isGrantable, isLong } from './models.ts'

/** The newest state of a session uid: how it stands, or that it ended. */
export type SessionHead = { readonly state: ModelState } | { readonly ended: SessionEnd }

/** How a session uid stopped being found. */
export interface SessionEnd {
  /** When, milliseconds since 1970. */
  readonly at: number
  readonly commit: string
  /** The streams that the end names. */
  readonly streams: readonly string[]
}

/** A token, code or request issued under a grant that has not been revoked or destroyed. */
export interface Granted {
  readonly model: string
  readonly names: readonly string[]
  readonly consumed: boolean
}

interface Waiting {
  readonly names: readonly string[]
  resolve(commits: readonly Commit[]): void
  reject(error: unknown): void
}

/** Reads the provider's models from the log. */
export class ModelLog {
  readonly store: EventStore
  #waiting: Waiting[] = []

  constructor(store: EventStore) {
    this.store = store
  }

  async find(model: string, id: string): Promise<ModelState | undefined> {
    const names = this.store.keys.streams(model, id)
    const history = isLong(model) ? await this.#newestTwo(names) : await this.#whole(names)
    return foldModel(this.store.keys, model, eventsIn(history, names))
  }

  /** The newest commit that names the uid decides: every write of a session whose uid is known names it, its end too. */
  async findSession(uid: string): Promise<SessionHead | undefined> {
    const names = this.store.keys.streams('uid', uid)
    const [commit] = await this.#newest(names, 1)
    if (!commit) return undefined
    const events = eventsIn([commit], names)
    const state = foldModel(
      this.store.keys,
      'Session',
      events.filter(({ event }) => event.type === 'stored'),
    )
    if (state) return { state }
    return { ended: { at: commit.at, commit: commit.id, streams: streamsOf(events.map(({ event }) => event)) } }
  }

  /** A user code may have stood for another device code before: the newest one that was stored under it counts. */
  async findDeviceCode(userCode: string): Promise<ModelState | undefined> {
    const names = this.store.keys.streams('user_code', userCode)
    const history = eventsIn(await this.#whole(names), names)
    const newest = history.findLast(({ event }) => event.type === 'stored')
    if (!newest) return undefined
    const own = ownNames('DeviceCode', newest.event)
    return foldModel(
      this.store.keys,
      'DeviceCode',
      history.filter(({ event }) => own.some((name) => isIn(event, name))),
    )
  }

  /** What lives under a grant, whatever its model. */
  async grantedBy(grantId: string): Promise<Granted[]> {
    const names = this.store.keys.streams('grant', grantId)
    const byName = new Map<string, { model: string; names: Set<string>; consumed: boolean; gone: boolean }>()
    for (const { event } of eventsIn(await this.#whole(names), names)) {
      const model = event.stream.slice(0, event.stream.indexOf(':'))
      if (!isGrantable(model)) continue
      const own = ownNames(model, event)
      const known = own.map((name) => byName.get(name)).find((granted) => granted !== undefined)
      const granted = known ?? { model, names: new Set<string>(), consumed: false, gone: false }
      for (const name of own) {
        granted.names.add(name)
        byName.set(name, granted)
      }
      if (event.type === 'consumed' || event.data['consumed'] !== undefined) granted.consumed = true
      if (event.type === 'destroyed' || event.type === 'revoked') granted.gone = true
    }
    return [...new Set(byName.values())]
      .filter(({ gone }) => !gone)
      .map(({ gone: _, names, ...rest }) => ({ ...rest, names: [...names] }))
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
