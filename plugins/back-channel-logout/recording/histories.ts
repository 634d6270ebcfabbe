import type { Commit, EventStore } from '../../../lib/index.ts'
import { pagesOf } from './pages.ts'
import type { SessionLogout } from './session-logout.ts'
import { sessionLogoutStream, uidOfStream } from './session-logout-events.ts'
import { evolve, nothing, type SessionLogoutFold } from './session-logout-fold.ts'

/** So many commits are held at a time. */
export const PAGE: number = 1_000

/** The logout of a session, as the log tells it. Nothing of it in the log: an empty one. */
export async function readLogout(store: EventStore, uid: string): Promise<SessionLogout> {
  return (await readLogouts(store, [uid])).get(uid) ?? nothing(uid)
}

/** The logouts of several sessions, as the log tells them. Of each session, known or not, one. */
export async function readLogouts(
  store: EventStore,
  uids: Iterable<string>,
): Promise<ReadonlyMap<string, SessionLogout>> {
  const logouts = new Map([...uids].map((uid) => [uid, nothing(uid)]))
  const streams = [...logouts.keys()].map(sessionLogoutStream)
  if (streams.length === 0) return logouts
  for await (const page of pagesOf(store, streams, { order: 'oldest', size: PAGE })) evolveAll(logouts, page)
  return logouts
}

/** The same, where they are fewer than so many commits. Else undefined: nobody waits for so much to be read. */
export async function readShortLogouts(
  store: EventStore,
  uids: Iterable<string>,
  most: number,
): Promise<ReadonlyMap<string, SessionLogout> | undefined> {
  const sessions = [...uids]
  const commits = await store.readStreams(sessions.map(sessionLogoutStream), { limit: most })
  if (commits.length >= most) return undefined
  const logouts = new Map(sessions.map((uid) => [uid, nothing(uid)]))
  evolveAll(logouts, commits)
  return logouts
}

function evolveAll(logouts: ReadonlyMap<string, SessionLogoutFold>, commits: readonly Commit[]): void {
  for (const commit of commits) {
    for (const uid of uidsIn(commit)) {
      const logout = logouts.get(uid)
      if (logout) evolve(logout, commit)
    }
  }
}

/** The sessions whose logout a commit tells something of, each once. */
export function uidsIn({ events }: Pick<Commit, 'events'>): string[] {
  const uids = events.map(({ stream }) => uidOfStream(stream)).filter((uid) => uid !== undefined)
  return [...new Set(uids)]
}
