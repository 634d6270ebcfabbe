import { inParallel } from '../../../lib/in-parallel.ts'
import type { Commit, EventStore } from '../../../lib/index.ts'
import { PAGE, uidsIn } from './histories.ts'
import { pagesOf } from './pages.ts'
import type { SessionLogout } from './session-logout.ts'
import { sessionLogoutStream } from './session-logout-events.ts'
import { evolve, nothing, type SessionLogoutFold } from './session-logout-fold.ts'

/** From so many commits on the logout of a session is remembered. */
export const LONG = 64

/** So many commits are remembered, of all sessions together. */
const REMEMBERED = 50_000

/** So many remembered logouts are brought up to date at a time. */
const AT_ONCE = 16

/** A logout, folded, and which commits are in it. */
interface Remembered {
  readonly logout: SessionLogoutFold
  readonly positions: Set<number>
  upTo: number
  /** Up to here everything was to be seen when it was read; above that something may still appear below `upTo`. */
  complete: number
}

/**
 * The logouts of sessions, for the planner, which asks again and again: in one session a login may be made and ended ten
 * thousand times, and each end must not cost all that were before it. Long logouts are remembered, and only what is new is
 * read. Positions become visible in any order: where one appears below what was read, the logout is read anew.
 */
export class LongLogouts {
  readonly #store: EventStore
  /** Those used last come last. */
  readonly #remembered = new Map<string, Remembered>()
  /** One reads after the other: they change what is remembered. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(store: EventStore) {
    this.#store = store
  }

  /**
   * The logouts of these sessions, with at least all that these commits tell of them.
   *
   * @param commits - a batch of the log: everything up to its last commit can be seen
   * @throws EventTypeUnknownError (`EVENT_TYPE_UNKNOWN`)
   */
  read(
    uids: Iterable<string>,
    commits: readonly Pick<Commit, 'position'>[],
  ): Promise<ReadonlyMap<string, SessionLogout>> {
    const complete = commits.reduce((last, { position }) => Math.max(last, position), 0)
    const reading = this.#turn.then(() => this.#read([...uids], complete))
    this.#turn = reading.catch(() => undefined)
    return reading
  }

  async #read(uids: readonly string[], complete: number): Promise<ReadonlyMap<string, SessionLogout>> {
    const known = uids.flatMap((uid) => this.#remembered.get(uid) ?? [])
    await inParallel(known, AT_ONCE, (one) => this.#catchUp(one))
    const of = new Map(uids.map((uid) => [uid, this.#remembered.get(uid) ?? blank(uid)]))
    const fresh = new Set(uids.filter((uid) => !this.#remembered.has(uid)))
    // A commit may tell of several sessions: each is folded from its own stream alone, so that its order is kept.
    const streams = [...fresh].map(sessionLogoutStream)
    const pages = fresh.size > 0 ? pagesOf(this.#store, streams, { order: 'oldest', size: PAGE }) : []
    for await (const page of pages) {
      for (const commit of page) {
        for (const uid of uidsIn(commit)) {
          const one = fresh.has(uid) ? of.get(uid) : undefined
          if (one) this.#apply(one, commit)
        }
      }
    }
    for (const [uid, one] of of) {
      one.complete = Math.max(one.complete, complete)
      this.#remember(uid, one)
    }
    return new Map([...of].map(([uid, { logout }]) => [uid, logout]))
  }

  /** Reads what is new. A logout is forgotten where something appears below what was read: it would be out of order. */
  async #catchUp(one: Remembered): Promise<void> {
    const { uid } = one.logout
    const from = Math.min(one.upTo, one.complete) + 1
    for await (const page of pagesOf(this.#store, [sessionLogoutStream(uid)], { from, order: 'oldest', size: LONG })) {
      if (page.some(({ position }) => position <= one.upTo && !one.positions.has(position))) {
        this.#remembered.delete(uid)
        return
      }
      for (const commit of page) this.#apply(one, commit)
    }
  }

  #apply(one: Remembered, commit: Commit): void {
    if (one.positions.has(commit.position)) return
    one.positions.add(commit.position)
    one.upTo = Math.max(one.upTo, commit.position)
    try {
      evolve(one.logout, commit)
    } catch (error) {
      this.#remembered.delete(one.logout.uid) // half of the commit may be in it
      throw error
    }
  }

  #remember(uid: string, one: Remembered): void {
    this.#remembered.delete(uid)
    if (one.positions.size >= LONG) this.#remembered.set(uid, one)
    let sum = 0
    for (const [other, { positions }] of [...this.#remembered].reverse()) {
      sum += positions.size
      if (sum > REMEMBERED && other !== uid) this.#remembered.delete(other)
    }
  }
}

function blank(uid: string): Remembered {
  return { logout: nothing(uid), positions: new Set(), upTo: 0, complete: 0 }
}
