import { destroyAgain } from '../../lib/erasure/forgotten-keys.ts'
import type { Clock, EventStore, FeatureState } from '../../lib/index.ts'
import {
  type DeadLetter,
  LogoutOperations,
  type LostDelivery,
  type OpenTermination,
} from '../back-channel-logout/index.ts'
import { featuresOf } from './commands/features.ts'
import { Interrupted } from './exit-codes.ts'
import { type GoneHolder, giveBack, type Holders, heldText, holdersOf } from './gone-holders.ts'
import { COUNTED, type LogStatus, statusOf } from './log-status.ts'
import { counted, countedTo, duration, moment } from './terminal.ts'

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

/** A finding, and what mends it where that is safe: it removes nothing that is meant to be there, and twice does no harm. */
export interface MendableFinding extends Finding {
  readonly fix?: {
    /** What it would do. */
    readonly would: string
    /** Does it. Returns what it did. */
    readonly apply: () => Promise<string>
  }
}

/** What findings are looked for in. */
export interface FindingParts {
  readonly store: EventStore
  readonly clock: Clock
  /** Undefined: only what is the log's own is looked at. */
  readonly issuer: string | undefined
  readonly signal: AbortSignal
}

/** A consumer that is so many positions behind is not keeping up, or nobody runs it. */
const BEHIND = 10_000

/** Retention goes through the whole log once a day. */
const WALK_LATE_MS = 3 * 86_400_000

/** Clocks that are further apart than this confuse people, and expiry. */
const CLOCKS_APART_MS = 10_000

/** An order that is not carried out for so long may have nobody who does. */
const ORDER_LATE_MS = 600_000

/** So many parked commits and dead letters are counted at most. */
const MOST = 100

/** So many RPs are named. */
const MOST_NAMED = 5

export async function findingsOf(parts: FindingParts): Promise<MendableFinding[]> {
  const { store, clock, issuer, signal } = parts
  const [status, { storeTime, apart }, holders] = await Promise.all([
    statusOf(store, ''),
    clocksOf(store, clock),
    holdersOf(store, clock, signal),
  ])
  return [
    ...clockFindings(apart),
    ...consumerFindings(status),
    ...holderFindings(store, status, holders),
    ...retentionFindings(status, storeTime),
    ...(await forgottenFindings(parts)),
    ...(issuer === undefined ? [] : await logoutFindings(parts, issuer, holders.living)),
  ]
}

/** The store's time, and how far this machine's is from it at least: the store was asked at some time in between. */
async function clocksOf(store: EventStore, clock: Clock): Promise<{ storeTime: number; apart: number }> {
  const asked = clock.now()
  const storeTime = await store.retention.time()
  return { storeTime, apart: Math.max(0, asked - storeTime, storeTime - clock.now()) }
}

function clockFindings(apart: number): MendableFinding[] {
  if (apart <= CLOCKS_APART_MS) return []
  return [
    {
      code: 'CLOCKS_APART',
      severity: 'fault',
      what: `the clock of this machine and that of the database are ${duration(apart)} apart`,
      todo: "let a time server set both; tokens expire by the clocks of the OP's machines",
    },
  ]
}

function consumerFindings({ consumers }: LogStatus): MendableFinding[] {
  return consumers
    .filter(({ behind }) => behind >= BEHIND)
    .map(({ name, behind, position, holder }) => ({
      code: 'CONSUMER_BEHIND',
      severity: 'fault',
      what: `the consumer ${name} is ${counted(behind, 'position')} behind, at #${position}; ${holder === undefined ? 'nobody holds it' : 'somebody holds it'}`,
      todo: `start the processes that run it. If nobody needs it any more, \`checkpoints remove ${name}\`: nothing above its checkpoint is ever removed from the log`,
    }))
}

function holderFindings(store: EventStore, { work }: LogStatus, { living, gone }: Holders): MendableFinding[] {
  const owed = work['deliveries'] ?? 0
  const findings: MendableFinding[] = gone.map((one) => ({
    code: 'HOLDER_GONE',
    severity: 'note',
    what: `${one.holder} shows no sign of life, and has left ${leftBy(one)}`,
    todo: 'the next process of the OP gives it back by itself',
    fix: {
      would: `give back ${leftBy(one)}`,
      apply: async () => `gave back ${await giveBack(store, one, one.holder)}`,
    },
  }))
  if (living === 0 && owed > 0) {
    findings.push({
      code: 'NOBODY_SENDS',
      severity: 'fault',
      what: `${countedTo(COUNTED, owed, 'logout token is', 'logout tokens are')} owed, and no process shows that it lives`,
      todo: 'start the OP: its processes send them',
    })
  }
  return findings
}

function leftBy({ leases, tables }: GoneHolder): string {
  return heldText(leases.length, tables.length > 0 ? undefined : 0)
}

/** Not mended: how long things are kept is configured in the OP, and not known here. */
function retentionFindings({ retention }: LogStatus, storeTime: number): MendableFinding[] {
  const findings: MendableFinding[] = []
  const { walkedAt, watchedSince, heldBy } = retention
  const since = walkedAt ?? watchedSince
  if (since === undefined) {
    findings.push({
      code: 'RETENTION_NEVER_RAN',
      severity: 'note',
      what: 'retention has not run yet: until it does, the log grows with every request',
      todo: 'nothing, if an OP has been running for less than two minutes: it begins with it by itself, unless `retention` is false. Or run `retention`',
    })
  } else if (storeTime - since > WALK_LATE_MS) {
    findings.push({
      code: 'RETENTION_LATE',
      severity: 'fault',
      what: `the whole log was gone through last ${duration(storeTime - since)} ago`,
      todo: 'is an OP running, with retention on? Its log says `retention_failed` or `retention_held` where it cannot go on. Or run `retention`, with the times that the OP is configured for',
    })
  }
  if (heldBy) {
    const { consumer, position } = heldBy
    findings.push({
      code: 'RETENTION_HELD',
      severity: 'note',
      what: `nothing above #${position} can be removed: the consumer ${consumer} has not handled it`,
      todo: `it goes on when that consumer does; \`checkpoints remove ${consumer}\` if that is gone for good`,
    })
  }
  return findings
}

async function forgottenFindings({ store, clock, signal }: FindingParts): Promise<MendableFinding[]> {
  const back = await destroyAgain(store, { now: clock.now(), dryRun: true, signal })
  if (back.length === 0) return []
  return [
    {
      code: 'ACCOUNT_KEYS_BACK',
      severity: 'fault',
      what: `${counted(back.length, 'key')} of accounts that were forgotten ${back.length === 1 ? 'is' : 'are'} there again: what the accounts have left can be opened`,
      todo: 'was `account_keys` restored from a backup, or who writes to the database? `doctor --fix` destroys them again',
      fix: {
        would: `destroy ${counted(back.length, 'key')} again`,
        apply: async () => {
          const destroyed = await destroyAgain(store, { now: clock.now(), signal })
          if (signal.aborted) throw new Interrupted()
          return `destroyed ${counted(destroyed.length, 'key')} again`
        },
      },
    },
  ]
}

async function logoutFindings(
  { store, clock }: FindingParts,
  issuer: string,
  living: number,
): Promise<MendableFinding[]> {
  const operations = new LogoutOperations({ store, issuer })
  const [features, parked, dead, terminations, lost] = await Promise.all([
    featuresOf(store, issuer).list(),
    count(operations.parked({ limit: MOST })),
    count(sendable(operations.deadLetters({ order: 'newest', limit: MOST }))),
    operations.openTerminations(),
    operations.lostDeliveries(),
  ])
  return [
    ...features.filter(({ enabled, from }) => !enabled && from !== 'configuration').map(offFinding),
    ...terminationFindings(operations, terminations, living, clock.now()),
    ...deliveryFindings(operations, lost),
    ...(parked > 0
      ? [
          {
            code: 'COMMITS_PARKED',
            severity: 'fault' as const,
            what: `${countedTo(MOST, parked, 'commit')} could not be planned: ${parked === 1 ? 'its' : 'their'} logouts are not told`,
            todo: '`logouts parked` says why; an OP of a newer version plans them when it starts, or call retryParked()',
          },
        ]
      : []),
    ...(dead > 0
      ? [
          {
            code: 'DEAD_LETTERS',
            severity: 'note' as const,
            what: `${countedTo(MOST, dead, 'logout token')} could not be delivered, and nobody tries any more`,
            todo: '`logouts dead` lists them; when the RP is back, `logouts replay --client …` has them sent again',
          },
        ]
      : []),
  ]
}

function offFinding({ feature, system, instance }: FeatureState): MendableFinding {
  const by = instance ?? system
  return {
    code: 'FEATURE_OFF',
    severity: 'note',
    what: `${feature} was switched off${by ? ` by ${by.actor}, ${moment(by.at)}` : ''}`,
    todo: `\`features on ${feature} --actor …\` when it is to be on again`,
  }
}

/** Of an account that was forgotten nobody is told any more. */
async function* sendable(letters: AsyncIterable<DeadLetter>): AsyncGenerator<DeadLetter, void> {
  for await (const letter of letters) if (letter.failureReason !== 'account_forgotten') yield letter
}

/** Orders to end sessions that nobody carries out. */
function terminationFindings(
  operations: LogoutOperations,
  open: readonly OpenTermination[],
  living: number,
  now: number,
): MendableFinding[] {
  const lost = open.filter(({ state }) => state === 'lost')
  const findings: MendableFinding[] = lost.map(({ id, of, actor, orderedAt }) => ({
    code: 'TERMINATION_LOST',
    severity: 'fault',
    what: `the order ${id} of ${actor}, ${moment(orderedAt)}, to end ${WHOSE[of]} is in the log, and not in the table of work: nobody will carry it out`,
    todo: 'who has emptied the table `endings`? `doctor --fix` puts the order back, from the log',
    fix: {
      would: `put the order ${id} back into the table of work`,
      apply: async () =>
        (await operations.restoreTermination(id)) ? `put the order ${id} back` : `the order ${id} is back already`,
    },
  }))
  const oldest = open.at(-1)
  if (oldest && (living === 0 || now - oldest.orderedAt >= ORDER_LATE_MS)) {
    const orders = counted(open.length, 'order to end sessions is', 'orders to end sessions are')
    const nobody = living === 0 ? ', and no process shows that it lives' : ''
    findings.push({
      code: 'TERMINATIONS_WAIT',
      severity: 'fault',
      what: `${orders} not carried out, the oldest of ${moment(oldest.orderedAt)}${nobody}`,
      todo:
        living === 0
          ? 'start the OP: its processes carry them out'
          : 'is one of them an OP of this issuer, with back-channel logout? Its log says `work_unreadable` or `work_failed` where it cannot go on; an order of a million sessions takes hours',
    })
  }
  return findings
}

/** Tokens that nobody sends. */
function deliveryFindings(operations: LogoutOperations, lost: readonly LostDelivery[]): MendableFinding[] {
  if (lost.length === 0) return []
  const tokens = counted(lost.length, 'logout token is', 'logout tokens are')
  const clients = [...new Set(lost.map(({ clientId }) => clientId))]
  const named = clients.slice(0, MOST_NAMED).join(', ') + (clients.length > MOST_NAMED ? ' and others' : '')
  const oldest = moment(Math.min(...lost.map(({ endedAt }) => endedAt)))
  return [
    {
      code: 'DELIVERIES_LOST',
      severity: 'fault',
      what: `${tokens} pending in the log, and not in the table of work: nobody will send them. The oldest is of ${oldest}; the RPs are ${named}`,
      todo: 'who has emptied the table `deliveries`? `doctor --fix` puts them back, from the log; what is older than 48 hours becomes a dead letter',
      fix: {
        would: `put ${lost.length} back into the table of work`,
        apply: async () => {
          const restored = await operations.restoreDeliveries()
          if (restored >= lost.length) return `put ${restored} back`
          return `put ${restored} of ${lost.length} back: the others were settled meanwhile, or name a subject that cannot be opened`
        },
      },
    },
  ]
}

const WHOSE: Readonly<Record<OpenTermination['of'], string>> = {
  account: 'all sessions of an account',
  client: 'all logins at a client',
  all: 'all sessions of the issuer',
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let found = 0
  for await (const _ of items) found += 1
  return found
}
