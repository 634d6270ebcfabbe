import type { Commit, EventStore } from '../../lib/index.ts'

type Reading = Pick<EventStore, 'read' | 'readStreams'>

/** What stands before each reading of streams: gets their names and what would read them. */
type Interception = (streams: readonly string[], read: () => Promise<Commit[]>) => Promise<Commit[]>

/** Has every reading of streams go through `intercept`, until what it returns is called. */
export function interceptReads(store: Reading, intercept: Interception): () => void {
  const own = { read: store.read, readStreams: store.readStreams }
  store.read = (stream, options) => intercept([stream], () => own.read.call(store, stream, options))
  store.readStreams = (streams, options) => intercept(streams, () => own.readStreams.call(store, streams, options))
  return () => Object.assign(store, own)
}

/** The commits of each reading of streams, from now on. */
export function countReads(store: Reading, isMeant: (streams: readonly string[]) => boolean = () => true): Commit[][] {
  const readings: Commit[][] = []
  interceptReads(store, async (streams, read) => {
    const commits = await read()
    if (isMeant(streams)) readings.push(commits)
    return commits
  })
  return readings
}
