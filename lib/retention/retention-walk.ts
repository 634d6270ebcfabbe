import { onNextTurn } from '../clock.ts'
import type { Commit, Event } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { LocatedEvent } from '../provider/model-record.ts'
import type { Judgements, RetentionContext, RetentionRule } from './retention-rule.ts'

/** So many commits are judged at a time. */
export const PAGE = 500

/** So many are judged before others get a turn: each may be one of twenty thousand of its kind. */
const COMMITS_A_TURN = 20

/** What was found of a page of the log. */
export interface JudgedPage {
  /** Those that may go, ascending. */
  readonly going: readonly Commit[]
  readonly kept: readonly Commit[]
  /** Positions of what cannot be read here: a newer version has written it, or somebody else. */
  readonly unread: readonly number[]
  /** The last position that was judged: where the next page begins. */
  readonly end: number
  /** When it was judged, milliseconds since 1970. */
  readonly now: number
}

/**
 * The next page of the log behind a position, judged. Undefined: there is nothing up to the horizon.
 *
 * @param mayGo - whether a commit is to be judged at all: else it stays
 */
export async function judgeNext(
  store: EventStore,
  rules: readonly RetentionRule[],
  after: number,
  context: RetentionContext,
  { mayGo }: { readonly mayGo: (commit: Commit) => boolean },
): Promise<JudgedPage | undefined> {
  // What somebody else has written stays.
  const entries = await store.entries({ after, limit: PAGE })
  const counted = entries.filter(({ position }) => position <= context.horizon)
  const page = counted.flatMap((entry) => (entry.kind === 'commit' ? [entry.commit] : []))
  const isLast = counted.length < PAGE
  const end = isLast ? context.horizon : Number(counted.at(-1)?.position)
  if (end <= after) return undefined
  const judged = await judgeAll(page.filter(mayGo), rules, context)
  const gone = new Set<number>()
  const kept: Commit[] = []
  for (const [index, commit] of page.entries()) {
    if (index % COMMITS_A_TURN === 0) await new Promise<void>((resolve) => onNextTurn(resolve))
    if (commit.events.every((event) => judged(event, gone))) gone.add(commit.position)
    else kept.push(commit)
  }
  const unread = counted.filter(({ kind }) => kind === 'newer' || kind === 'forged').map(({ position }) => position)
  return { going: page.filter(({ position }) => gone.has(position)), kept, unread, end, now: context.now }
}

async function judgeAll(
  page: readonly Commit[],
  rules: readonly RetentionRule[],
  context: RetentionContext,
): Promise<(event: Event, gone: ReadonlySet<number>) => boolean> {
  const known = new Map<Event, { readonly fact: LocatedEvent; readonly judgements: Judgements }>()
  const facts = page.flatMap((commit) => commit.events.map((event): LocatedEvent => ({ commit, event })))
  for (const rule of rules) {
    const own = facts.filter(({ event }) => !known.has(event) && rule.knows(event))
    if (own.length === 0) continue
    const judgements = await rule.judge(own, context)
    for (const fact of own) known.set(fact.event, { fact, judgements })
  }
  return (event, gone) => {
    const one = known.get(event)
    return one?.judgements.mayGo(one.fact, gone) ?? false
  }
}
