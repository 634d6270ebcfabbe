import type { Event } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { LocatedEvent } from '../provider/model-record.ts'
import type { AccountKeys } from '../secrets/account-keys.ts'
import type { Remaining } from './remaining.ts'
import type { RetentionPolicy } from './retention-options.ts'
import type { Samples } from './samples.ts'

/** What a rule judges by. Nothing in it trusts the time in a commit. */
export interface RetentionContext {
  readonly store: EventStore
  readonly accountKeys: AccountKeys
  readonly policy: RetentionPolicy
  /** The earlier of this machine's time and the store's, milliseconds since 1970. */
  readonly now: number
  readonly samples: Samples
  /** The last position that counts: what lies above is judged another time, and supports no judgement. */
  readonly horizon: number
  /** Positions that somebody will come back to: they stay. */
  readonly pinned: ReadonlySet<number>
  /** What the last walk over the whole log has left. */
  readonly remaining: Remaining
}

/** What is decided of the events of a page. */
export interface Judgements {
  /**
   * Whether the event may go.
   *
   * @param gone - positions that go before it
   */
  mayGo(fact: LocatedEvent, gone: ReadonlySet<number>): boolean
}

/**
 * Knows of some events how long they are needed. A commit goes when each of its events may go. An event that no rule knows
 * stays for ever: a newer version, or a plugin that this process does not have, may need it.
 */
export interface RetentionRule {
  /** Whether the rule is about this event. */
  knows(event: Event): boolean
  /** Positions that somebody will come back to; at most so many of them. */
  pinned?(store: EventStore, most: number): Promise<readonly number[]>
  /** Reads what the judgement of these needs, with a bounded number of commands. */
  judge(facts: readonly LocatedEvent[], context: RetentionContext): Promise<Judgements>
}

/** Whether a position is older than so many milliseconds. */
export function isOlder(position: number, ms: number, { samples, now, horizon }: RetentionContext): boolean {
  return position <= Math.min(horizon, samples.olderThan(ms, now))
}
