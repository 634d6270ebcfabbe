import { isIn } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { type LocatedEvent, ownNames } from '../provider/model-record.ts'
import { MODELS } from '../provider/models.ts'

/** So many commits are looked at, the newest. */
const MOST_COMMITS = 100

/** An instance of a model, and what happened to it, oldest first. */
export interface Located {
  readonly model: string
  /** Its streams; of a session that was looked for by uid or sid, those of its uid. */
  readonly names: readonly string[]
  readonly history: readonly LocatedEvent[]
}

/** Finds the instance that has this id, uid, sid or user code. */
export async function locate(store: EventStore, thing: string): Promise<Located | undefined> {
  const { keys } = store
  const under = (kind: string): readonly string[] => keys.streams(kind, thing)
  for (const model of await modelsWith(store, MODELS.map(under))) {
    const located = await historyOf(store, model, under(model))
    if (located) return located
  }
  const byUid = await historyOf(store, 'Session', under('uid'))
  if (byUid) return byUid
  const [login] = await store.readStreams(under('sid'), { direction: 'backwards', limit: 1 })
  const uid = login?.events.flatMap(({ also = [] }) => also.filter((name) => name.startsWith('uid:'))) ?? []
  if (uid.length > 0) return historyOf(store, 'Session', uid)
  const [code] = await store.readStreams(under('user_code'), { direction: 'backwards', limit: 1 })
  const stored = code?.events.find((event) => under('user_code').some((name) => isIn(event, name)))
  return stored && historyOf(store, 'DeviceCode', ownNames('DeviceCode', stored))
}

/** The models of which something lies in these streams: with one command. */
async function modelsWith(store: EventStore, streams: readonly (readonly string[])[]): Promise<string[]> {
  const names = streams.flat()
  const found = await store.readStreams(names, { direction: 'backwards', limit: MOST_COMMITS })
  const there = found.flatMap(({ events }) => names.filter((name) => events.some((event) => isIn(event, name))))
  return [...new Set(there.map((name) => name.slice(0, name.indexOf(':'))))]
}

async function historyOf(store: EventStore, model: string, names: readonly string[]): Promise<Located | undefined> {
  const newest = await store.readStreams(names, { direction: 'backwards', limit: MOST_COMMITS })
  const history = newest
    .reverse()
    .flatMap((commit) =>
      commit.events
        .filter((event) => names.some((name) => isIn(event, name)))
        .map((event): LocatedEvent => ({ commit, event })),
    )
  return history.length > 0 ? { model, names, history } : undefined
}
