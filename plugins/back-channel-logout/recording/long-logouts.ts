import type { Commit, EventStore } from '../../../lib/index.ts'
import { uidsIn } from './histories.ts'
import type { SessionLogout } from './session-logout.ts'
import { sessionLogoutStream } from './session-logout-events.ts'
import { evolve, nothing, type SessionLogoutFold } from './session-logout-fold.ts'

/** From so many commits on the logout of a session is remembered. */
export const LONG = 64

/** So many commits are remembered, of all sessions together. */
const REMEMBERED = 50_000

/** A logout, folded, and which commits are in it. */
interface Remembered {
  readonly logout: SessionLogoutFold
  readonly positions: Set<number>
  upTo: number
}

/**
 * The logouts of sessions, for whoever asks again and again: in one session a login may be made and ended ten thousand
 * times, and each end must not cost all that were before it. Long logouts are remembered, and only what is new is read.
 */
export class LongLogouts {
  readonly #store: EventStore
  /** Those used last come last. */
  readonly #remembered = new Map<string, Remembered>()

  constructor(store: EventStore) {
    this.#store = store
  }

  /**
   * The logouts of these sessions, with at least all that these commits tell of them.
   *
   * @throws EventTypeUnknownError (`EVENT_TYPE_UNKNOWN`)
   */
  async read(
    uids: Iterable<string>,
    commits: readonly Pick<Commit, 'events' | 'position'>[],
  ): Promise<ReadonlyMap<string, SessionLogout>> {
    this.#forgetLate(commits)
    const found = [...uids].map((uid): [string, Remembered] => [
      uid,
      this.#remembered.get(uid) ?? { logout: nothing(uid), positions: new Set(), upTo: 0 },
    ])
    const fresh = found.filter(([, { upTo }]) => upTo === 0)
    const known = found.filter(([, { upTo }]) => upTo > 0)
    const reads = [
      ...(fresh.length > 0 ? [this.#store.readStreams(fresh.map(([uid]) => sessionLogoutStream(uid)))] : []),
      ...known.map(([uid, { upTo }]) => this.#store.read(sessionLogoutStream(uid), { from: upTo + 1 })),
    ]
    const of = new Map(found)
    for (const commit of (await Promise.all(reads)).flat()) {
      for (const uid of uidsIn(commit)) this.#apply(of.get(uid), commit)
    }
    for (const [uid, one] of found) this.#remember(uid, one)
    return new Map(found.map(([uid, { logout }]) => [uid, logout]))
  }

  /** Positions become visible in any order: one below what was read would be passed over. */
  #forgetLate(commits: readonly Pick<Commit, 'events' | 'position'>[]): void {
    for (const commit of commits) {
      for (const uid of uidsIn(commit)) {
        const one = this.#remembered.get(uid)
        if (one && commit.position <= one.upTo && !one.positions.has(commit.position)) this.#remembered.delete(uid)
      }
    }
  }

  #apply(one: Remembered | undefined, commit: Commit): void {
    if (!one || one.positions.has(commit.position)) return
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
