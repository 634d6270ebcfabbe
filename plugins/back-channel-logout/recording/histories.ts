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
  const logouts = new Map([...uids].map((uid) => [uid, nothing(uid)]))
  if (logouts.size === 0) return logouts
  const commits = await store.readStreams([...logouts.keys()].map(sessionLogoutStream))
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
