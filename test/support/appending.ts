import { type ErrorCode, EventStoreError } from '../../lib/errors.ts'
import type { Claim, NewCommit } from '../../lib/log/commit.ts'
import type { EventStore } from '../../lib/log/event-store.ts'
import type { Answered } from './invariants.ts'

/** An append and what became of it. */
export interface Appending extends Answered {
  /** Why it was refused. */
  readonly code?: ErrorCode
}

let tags = 0

/** A commit of one event whose data tell it from all others. */
export function commitOf(
  name: string,
  more: { readonly stream?: string; readonly version?: number; readonly claims?: readonly Claim[] } = {},
): NewCommit {
  tags += 1
  const tag = `${name} ${process.pid}-${tags}`
  const { stream = `Thing:${tag}`, version, claims } = more
  const event = { stream, type: 'thing.happened', ...(version !== undefined && { version }), data: { tag } }
  return { events: [event], ...(claims && { claims }) }
}

export function tagOf(commit: NewCommit): string {
  return String(commit.events[0]?.data['tag'])
}

/** Appends one, and tells what became of it. Any error but ours fails the test. */
export async function append(store: EventStore, commit: NewCommit): Promise<Appending> {
  const tag = tagOf(commit)
  const began = now()
  try {
    const { id, position } = await store.append(commit)
    return { tag, id, position, began, ended: now() }
  } catch (error) {
    if (!(error instanceof EventStoreError)) throw error
    return { tag, code: error.code, began, ended: now() }
  }
}

/** Appends all, in one tick or each after the one before. */
export async function appendAll(
  store: EventStore,
  commits: readonly NewCommit[],
  how: 'at once' | 'one by one' = 'at once',
): Promise<Appending[]> {
  if (how === 'at once') return Promise.all(commits.map((commit) => append(store, commit)))
  const done: Appending[] = []
  for (const commit of commits) done.push(await append(store, commit))
  return done
}

/** Milliseconds on the machine's monotonic clock, the same for all its processes. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
