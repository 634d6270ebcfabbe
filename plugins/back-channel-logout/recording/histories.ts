import type { Commit, EventStore } from '../../../lib/index.ts'
import type { SessionLogout } from './session-logout.ts'
import { sessionLogoutStream, uidOfStream } from './session-logout-events.ts'
import { evolve, fold, nothing } from './session-logout-fold.ts'

/** The logout of a session, as the log tells it. Nothing of it in the log: an empty one. */
export async function readLogout(store: EventStore, uid: string): Promise<SessionLogout> {
  return fold(uid, await store.read(sessionLogoutStream(uid)))
}

/** The logouts of several sessions, as the log tells them, with one command. Of each session, known or not, one. */
export async function readLogouts(
  store: EventStore,
  uids: Iterable<string>,
): Promise<ReadonlyMap<string, SessionLogout>> {
  const sessions = [...uids]
  return foldAll(sessions, sessions.length > 0 ? await store.readStreams(sessions.map(sessionLogoutStream)) : [])
}

/** The same, where they are fewer than so many commits. Else undefined: nobody waits for so much to be read. */
export async function readShortLogouts(
  store: EventStore,
  uids: Iterable<string>,
  most: number,
): Promise<ReadonlyMap<string, SessionLogout> | undefined> {
  const sessions = [...uids]
  const commits = await store.readStreams(sessions.map(sessionLogoutStream), { limit: most })
  return commits.length < most ? foldAll(sessions, commits) : undefined
}

function foldAll(uids: readonly string[], commits: readonly Commit[]): ReadonlyMap<string, SessionLogout> {
  const logouts = new Map(uids.map((uid) => [uid, nothing(uid)]))
  for (const commit of commits) {
    for (const uid of uidsIn(commit)) {
      const before = logouts.get(uid)
      if (before) logouts.set(uid, evolve(before, commit))
    }
  }
  return logouts
}

/** The sessions whose logout a commit tells something of, each once. */
export function uidsIn({ events }: Pick<Commit, 'events'>): string[] {
  const uids = events.map(({ stream }) => uidOfStream(stream)).filter((uid) => uid !== undefined)
  return [...new Set(uids)]
}
