import type { Commit, Event } from './commit.ts'

/** How the events of one schema version are read by the next one. */
export interface Upcast {
  /** The version that they were stored in. */
  readonly from: number
  /** What the event says may change, and how; not its stream, its further streams nor its version: it is found by those. */
  event(event: Event): Pick<Event, 'type' | 'data'>
}

/** One for each version that was published, oldest first. Version 1 is the newest: there are none. */
const UPCASTS: readonly Upcast[] = []

/**
 * A commit of any version of the schema up to this one, as this one has it. What is stored stays as it is.
 *
 * @param version - that it was stored in
 */
export function upcast(commit: Commit, version: number, upcasts: readonly Upcast[] = UPCASTS): Commit {
  const steps = upcasts.filter(({ from }) => from >= version)
  if (steps.length === 0) return commit
  const events = commit.events.map((event) => steps.reduce(applied, event))
  return { ...commit, events }
}

function applied(event: Event, step: Upcast): Event {
  const { type, data } = step.event(event)
  return { ...event, type, data }
}
