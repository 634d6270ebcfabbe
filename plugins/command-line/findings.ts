import type { Clock, EventStore } from '../../lib/index.ts'
import { LogoutOperations } from '../back-channel-logout/index.ts'
import { statusOf } from './log-status.ts'
import { duration } from './terminal.ts'

/** Something that an operator should know. */
export interface Finding {
  /** A stable name. */
  readonly code: string
  /** `fault`: something does not work. `note`: it may be as it should. */
  readonly severity: 'fault' | 'note'
  readonly what: string
  /** What to do. */
  readonly todo: string
}

/** A consumer that is so many positions behind is not keeping up, or nobody runs it. */
const BEHIND = 10_000

/** Retention goes through the whole log once a day. */
const WALK_LATE_MS = 3 * 86_400_000

/** Clocks that are further apart than this confuse people, and expiry. */
const CLOCKS_APART_MS = 10_000

const MOST = 100

/** @param issuer - undefined: only what is the log's own is looked at */
export async function findingsOf(store: EventStore, clock: Clock, issuer: string | undefined): Promise<Finding[]> {
  const [status, storeTime] = await Promise.all([statusOf(store, ''), store.retention.time()])
  const findings: Finding[] = []
  const apart = Math.abs(clock.now() - storeTime)
  if (apart > CLOCKS_APART_MS) {
    findings.push({
      code: 'CLOCKS_APART',
      severity: 'fault',
      what: `the clock of this machine and that of the database are ${duration(apart)} apart`,
      todo: "let a time server set both; tokens expire by the clocks of the OP's machines",
    })
  }
  for (const { name, position, behind, holder } of status.consumers) {
    if (behind < BEHIND) continue
    findings.push({
      code: 'CONSUMER_BEHIND',
      severity: 'fault',
      what: `the consumer ${name} is ${behind} positions behind, at #${position}; ${holder === undefined ? 'nobody holds it' : 'somebody holds it'}`,
      todo: 'start the processes that run it. If nobody needs it any more, remove its document from `consumers`: nothing above its checkpoint is ever removed from the log',
    })
  }
  if (status.living === 0 && (status.work['deliveries'] ?? 0) > 0) {
    findings.push({
      code: 'NOBODY_SENDS',
      severity: 'fault',
      what: `${status.work['deliveries']} logout tokens are owed, and no process shows that it lives`,
      todo: 'start the OP: its processes send them',
    })
  }
  const { walkedAt, watchedSince } = status.retention
  const since = walkedAt ?? watchedSince
  if (since === undefined) {
    findings.push({
      code: 'RETENTION_NEVER_RAN',
      severity: 'note',
      what: 'retention has never run: the log grows with every request',
      todo: 'a started OP runs it by itself, unless `retention` is false; or run `retention`',
    })
  } else if (storeTime - since > WALK_LATE_MS) {
    findings.push({
      code: 'RETENTION_LATE',
      severity: 'fault',
      what: `the whole log was gone through last ${duration(storeTime - since)} ago`,
      todo: 'is an OP running, with retention on? Its log says `retention_failed` or `retention_held` where it cannot go on',
    })
  }
  if (status.retention.heldBy) {
    const { consumer, position } = status.retention.heldBy
    findings.push({
      code: 'RETENTION_HELD',
      severity: 'note',
      what: `nothing above #${position} can be removed: the consumer ${consumer} has not handled it`,
      todo: 'it goes on when that consumer does',
    })
  }
  return [...findings, ...(issuer === undefined ? [] : await logoutFindings(store, issuer))]
}

async function logoutFindings(store: EventStore, issuer: string): Promise<Finding[]> {
  const operations = new LogoutOperations({ store, issuer })
  const [parked, dead] = await Promise.all([
    count(operations.parked({ limit: MOST })),
    count(operations.deadLetters({ order: 'newest', limit: MOST })),
  ])
  const many = (found: number): string => (found < MOST ? `${found}` : `${MOST} or more`)
  return [
    ...(parked > 0
      ? [
          {
            code: 'COMMITS_PARKED',
            severity: 'fault' as const,
            what: `${many(parked)} commits could not be planned: their logouts are not told`,
            todo: '`logouts parked` says why; an OP of a newer version plans them when it starts, or call retryParked()',
          },
        ]
      : []),
    ...(dead > 0
      ? [
          {
            code: 'DEAD_LETTERS',
            severity: 'note' as const,
            what: `${many(dead)} logout tokens could not be delivered, and nobody tries any more`,
            todo: '`logouts dead` lists them; when the RP is back, `logouts replay --client …` has them sent again',
          },
        ]
      : []),
  ]
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let found = 0
  for await (const _ of items) found += 1
  return found
}
