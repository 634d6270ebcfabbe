import type { Commit, EventStore } from '../../../lib/index.ts'

/** What became of a client last, by the log. Undefined: it is not in the log. Clients of the configuration are not. */
export type StoredClient = 'stored' | 'destroyed' | undefined

/**
 * Asks the log about a client, since processes of a rolling deployment do not all know the same ones: that this process
 * does not know a client, or no URI of it, says something about the client only where the log says so too.
 */
export async function storedClient(store: EventStore, clientId: string): Promise<StoredClient> {
  const names = store.keys.streams('Client', clientId) // one for each hashing key
  const commits = (await Promise.all(names.map((name) => store.latest(name)))).filter((commit) => commit !== undefined)
  const newest = commits.reduce<Commit | undefined>((a, b) => (a && a.position > b.position ? a : b), undefined)
  const event = newest?.events.findLast(({ stream, also = [] }) =>
    [stream, ...also].some((name) => names.includes(name)),
  )
  return event && (event.type === 'destroyed' ? 'destroyed' : 'stored')
}
