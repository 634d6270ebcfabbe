import { LogForgedError } from '../errors.ts'
import { type Commit, type Event, isIn } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { generationOf, isMoved, type LocatedEvent, repeatedBy } from '../provider/model-record.ts'

/** So many streams are read with one command, and so many commits. */
const STREAMS_AT_ONCE = 64
const COMMITS_AT_ONCE = 2_000

/** So many commits of one unit are looked at. What is longer loses nothing but what was replaced, until it is shorter. */
const LONGEST = 20_000

/** An event as far as it decides on others: without its payload. */
export interface UnitEvent {
  readonly position: number
  readonly instance: string | undefined
  readonly type: string
  readonly commit: string
  /** Of a state that only repeats another one: the commit of that. */
  readonly again: string | undefined
  /** All streams that it names. */
  readonly streams: readonly string[]
  readonly generation: number
  readonly moved: boolean
  /** Of a state: when it expires, in seconds since 1970. */
  readonly exp: number | undefined
  /** Of a state: whether it says that it is used up. */
  readonly consumed: boolean
  /** Of a state of a Grant: the revocations that it follows, by model. */
  readonly revocations: Readonly<Record<string, number>>
}

/** Everything that decides on one thing: the events in its streams, in order. */
export interface Unit {
  readonly events: readonly UnitEvent[]
  /** Whether these are all. */
  readonly isComplete: boolean
  /** False: somebody else has written among them. */
  readonly isReadable: boolean
  /** The newest state: it may have to be opened. */
  readonly newestStored: LocatedEvent | undefined
}

/**
 * Reads the events in each group of streams. Groups are read together; one that is long is read alone, page by page, and
 * holds no payloads. What lies above the horizon is read, too: it may forbid that something goes, and allows nothing.
 */
export async function readUnits(store: EventStore, groups: readonly (readonly string[])[]): Promise<Unit[]> {
  const units: Unit[] = []
  for (let from = 0; from < groups.length; ) {
    const some: (readonly string[])[] = []
    let streams = 0
    while (from + some.length < groups.length && streams < STREAMS_AT_ONCE) {
      const group = groups[from + some.length] as readonly string[]
      some.push(group)
      streams += group.length
    }
    units.push(...(await readTogether(store, some)))
    from += some.length
  }
  return units
}

/** One that cannot be read must not keep the others from going. */
async function readTogether(store: EventStore, groups: readonly (readonly string[])[]): Promise<Unit[]> {
  try {
    return await readAtOnce(store, groups)
  } catch (error) {
    if (!(error instanceof LogForgedError)) throw error
    if (groups.length === 1) return [UNREADABLE]
    const middle = groups.length >> 1
    const first = await readTogether(store, groups.slice(0, middle))
    return [...first, ...(await readTogether(store, groups.slice(middle)))]
  }
}

const UNREADABLE: Unit = { events: [], isComplete: false, isReadable: false, newestStored: undefined }

async function readAtOnce(store: EventStore, groups: readonly (readonly string[])[]): Promise<Unit[]> {
  const commits = await store.readStreams([...new Set(groups.flat())], { limit: COMMITS_AT_ONCE })
  if (commits.length < COMMITS_AT_ONCE) return groups.map((group) => unitOf(group, commits, true))
  if (groups.length === 1) return [await readLong(store, groups[0] as readonly string[], commits)]
  const middle = groups.length >> 1
  const first = await readTogether(store, groups.slice(0, middle))
  return [...first, ...(await readTogether(store, groups.slice(middle)))]
}

async function readLong(store: EventStore, group: readonly string[], first: readonly Commit[]): Promise<Unit> {
  const beginning = unitOf(group, first, false)
  const events: UnitEvent[] = [...beginning.events]
  let { newestStored } = beginning
  let page = first
  while (page.length === COMMITS_AT_ONCE && events.length < LONGEST) {
    const from = Number(page.at(-1)?.position) + 1
    page = await store.readStreams(group, { from, limit: COMMITS_AT_ONCE })
    const more = unitOf(group, page, false)
    events.push(...more.events)
    newestStored = more.newestStored ?? newestStored
  }
  return { events, isComplete: page.length < COMMITS_AT_ONCE, isReadable: true, newestStored }
}

function unitOf(group: readonly string[], commits: readonly Commit[], isComplete: boolean): Unit {
  let newestStored: LocatedEvent | undefined
  const events = commits.flatMap((commit) =>
    commit.events
      .filter((event) => isModelEvent(event) && group.some((stream) => isIn(event, stream)))
      .map((event) => {
        if (event.type === 'stored') newestStored = { commit, event }
        return unitEvent(commit, event)
      }),
  )
  return { events, isComplete, isReadable: true, newestStored }
}

function unitEvent({ position, id, meta }: Commit, event: Event): UnitEvent {
  const { stream, also = [], type, data } = event
  return {
    position,
    instance: meta.instance,
    type,
    commit: id,
    again: repeatedBy(event),
    streams: [stream, ...also],
    generation: generationOf(event),
    moved: isMoved(event),
    exp: typeof data['exp'] === 'number' ? data['exp'] : undefined,
    consumed: typeof data['consumed'] === 'number',
    revocations: (data['revocations'] ?? {}) as Readonly<Record<string, number>>,
  }
}

/** The streams of models begin with a capital letter, all others with a small one. */
export function isModelEvent({ stream }: Event): boolean {
  return /^\p{Lu}/u.test(stream)
}
