import type { MongoClient, TopologyDescription } from 'mongodb'

type OnChange = () => void

const watches = new WeakMap<MongoClient, Set<OnChange>>()

/**
 * Calls `onChange` whenever this client has another primary than before, or may have one: another server, another
 * election, another process of the same server, none that it knows. The driver tells of each before it sends a command
 * there. A server that was restarted it may notice late, where it asks only now and then: then a connection was lost.
 *
 * @returns stops it
 */
export function watchPrimary(client: MongoClient, onChange: OnChange): () => void {
  const watching = watches.get(client) ?? begin(client)
  watching.add(onChange)
  return () => watching.delete(onChange)
}

/** One listener for all stores of a client. */
function begin(client: MongoClient): Set<OnChange> {
  const watching = new Set<OnChange>()
  watches.set(client, watching)
  const changed = (): void => {
    for (const onChange of watching) onChange()
  }
  client.on('topologyDescriptionChanged', ({ previousDescription: before, newDescription: now }) => {
    if (primaryOf(before) !== primaryOf(now)) changed()
  })
  client.on('connectionClosed', ({ reason }) => {
    if (reason === 'error' || reason === 'stale') changed()
  })
  return watching
}

/** Who the primary is; the same text only for the same process in the same election. */
function primaryOf({ servers }: TopologyDescription): string | undefined {
  for (const { address, type, electionId, setVersion, topologyVersion } of servers.values()) {
    if (type !== 'RSPrimary' && type !== 'Standalone') continue
    return [address, electionId, setVersion, topologyVersion?.processId].map(String).join(' ')
  }
  return undefined
}
