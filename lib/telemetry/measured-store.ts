import type { Clock } from '../clock.ts'
import { CommitTooLargeError } from '../errors.ts'
import type { Appended, Commit, NewCommit } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { Follower } from '../log/follower.ts'
import { errorType } from './error-type.ts'
import type { Attributes, Telemetry } from './telemetry.ts'

/** The codes of commits that lost. */
const CONFLICTS: ReadonlySet<string> = new Set(['CONCURRENCY', 'ALREADY_CLAIMED'])

/** What is told of every commit, however it was made. */
const SPAN = 'oidc_provider_eventstore append'

/**
 * The same store, whose appends and reads are measured. Each commit is a span, and holds the trace context of that span:
 * whoever acts on the commit later, wherever, can say what it comes from.
 */
export function measuredStore(store: EventStore, telemetry: Telemetry, clock: Clock): EventStore {
  store.measure?.(telemetry)
  // From the start, so that the first one is seen as an increase.
  for (const type of CONFLICTS) telemetry.record('oidc_provider_eventstore.append.conflicts', 0, { 'error.type': type })
  const seconds = (since: number): number => (clock.monotonic() - since) / 1_000

  const appendMeasured = (commit: NewCommit): Promise<Appended> => {
    const attributes = { 'oidc_provider_eventstore.events': commit?.events?.length ?? 0 }
    return telemetry.span({ name: SPAN, kind: 'producer', attributes }, async (span) => {
      const started = clock.monotonic()
      const trace = commit?.meta?.trace ?? telemetry.traceparent()
      try {
        const appended = await appendTraced(store, commit, trace)
        telemetry.record('oidc_provider_eventstore.append.duration', seconds(started))
        span.set({ 'oidc_provider_eventstore.position': appended.position })
        return appended
      } catch (error) {
        const type = errorType(error)
        span.fail(type)
        telemetry.record('oidc_provider_eventstore.append.duration', seconds(started), { 'error.type': type })
        if (CONFLICTS.has(type))
          telemetry.record('oidc_provider_eventstore.append.conflicts', 1, { 'error.type': type })
        throw error
      }
    })
  }

  const readMeasured = async <T>(operation: string, read: () => Promise<T>): Promise<T> => {
    const started = clock.monotonic()
    const name = { 'oidc_provider_eventstore.operation': operation }
    const tell = (more: Attributes): void =>
      telemetry.record('oidc_provider_eventstore.read.duration', seconds(started), { ...name, ...more })
    try {
      const result = await read()
      tell({})
      return result
    } catch (error) {
      tell({ 'error.type': errorType(error) })
      throw error
    }
  }

  /** Where nobody takes what is told, a call costs what it costs without telemetry. */
  const measured = <T>(operation: string, read: () => Promise<T>): Promise<T> =>
    telemetry.isOff ? read() : readMeasured(operation, read)

  return {
    append: (commit) => (telemetry.isOff ? store.append(commit) : appendMeasured(commit)),
    latest: (stream): Promise<Commit | undefined> => measured('latest', () => store.latest(stream)),
    read: (stream, options) => measured('read', () => store.read(stream, options)),
    readStreams: (streams, options) => measured('read_streams', () => store.readStreams(streams, options)),
    readAll: (options) => measured('read_all', () => store.readAll(options)),
    entries: (options) => measured('entries', () => store.entries(options)),
    end: () => store.end(),
    subscribe: (options) => store.subscribe(options),
    ...(store.follow && {
      follow: (listener): Follower => {
        const follower = store.follow?.(listener) as Follower
        return {
          get isFollowing() {
            return follower.isFollowing
          },
          read: (streams, limit) => measured('follow', () => follower.read(streams, limit)),
          close: () => follower.close(),
        }
      },
    }),
    work: (table) => store.work(table),
    index: (name) => store.index(name),
    close: () => store.close(),
    get keys() {
      return store.keys
    },
    logId: store.logId,
    consumers: store.consumers,
    liveness: store.liveness,
    accountKeys: store.accountKeys,
    retention: store.retention,
    ...(store.segments && { segments: store.segments }),
    ...(store.forged && { forged: store.forged }),
  }
}

/** A commit that is as large as may be goes without its trace: nothing was queued when it is refused for its size. */
async function appendTraced(store: EventStore, commit: NewCommit, trace: string | undefined): Promise<Appended> {
  if (trace === undefined) return store.append(commit)
  try {
    return { ...(await store.append(traced(commit, trace))), trace }
  } catch (error) {
    if (!(error instanceof CommitTooLargeError) || commit?.meta?.trace !== undefined) throw error
    return store.append(commit)
  }
}

/** What is no commit stays none: the store says what is wrong with it. */
function traced(commit: NewCommit, trace: string): NewCommit {
  const { meta = {} } = commit ?? {}
  if (typeof commit !== 'object' || commit === null || typeof meta !== 'object' || meta === null) return commit
  return { ...commit, meta: { ...meta, trace } }
}
