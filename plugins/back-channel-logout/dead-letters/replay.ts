import { inParallel } from '../../../lib/in-parallel.ts'
import { AlreadyClaimedError, type NewCommit, NotADeadLetterError, OptionInvalidError } from '../../../lib/index.ts'
import { dataKeyIn } from '../../../lib/secrets/key-ring.ts'
import { workIdOf } from '../delivery/rounds.ts'
import {
  assertActor,
  assertFlag,
  assertKnown,
  assertReading,
  assertText,
  millisecondsOf,
} from '../recording/criteria.ts'
import { readLogout } from '../recording/histories.ts'
import { deadLetterStreams } from '../recording/index-streams.ts'
import { type Replayed, toEvent } from '../recording/session-logout-events.ts'
import { type DeadLetter, deadLetterOf, type FoundLetter } from './dead-letter.ts'
import { type DeadLetterCriteria, type DeadLetterParts, deadLetterPages } from './listing.ts'

/** What to send again: one dead letter, all of a client, all since a time. `{ since: 0 }` is all of them. */
export type ReplayTarget = { readonly delivery: string; readonly sessionUid: string } | DeadLetterCriteria

export interface ReplayOptions {
  /** Who has it done: recorded with it. */
  readonly actor: string
  /** Counts, and changes nothing. Default: false. */
  readonly dryRun?: boolean
  /** Ends it between two dead letters: those that are not replayed by then stay as they are. */
  readonly signal?: AbortSignal
}

/** So many are replayed at a time. */
const AT_ONCE = 16

/** What a call has replayed, or would have. */
export interface Replays {
  readonly replayed: number
  /** Dead letters of accounts that were forgotten: nobody can open any more whom they are about. Absent: none. */
  readonly forgotten?: number
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertReplay(target: ReplayTarget, options: ReplayOptions): void {
  if (isOne(target)) {
    assertKnown(target, ['delivery', 'sessionUid'])
    assertText('delivery', target.delivery)
    assertText('sessionUid', target.sessionUid)
  } else {
    assertKnown(target, ['client', 'since'])
    if (target.client === undefined && target.since === undefined)
      throw new OptionInvalidError('since', 'must be given where neither `client` nor `delivery` is; 0 for all')
    if (target.client !== undefined) assertText('client', target.client)
    millisecondsOf(target.since)
  }
  assertKnown(options, ['actor', 'dryRun', 'signal'])
  const { actor, dryRun, signal } = options
  assertActor(actor)
  assertFlag('dryRun', dryRun)
  assertReading({ ...(signal !== undefined && { signal }) })
}

/**
 * Has dead letters sent again. Each is one commit, from which the planner makes the work: what was recorded is sent,
 * whatever happens to this process. Two operators who replay the same one at once replay it once. Those of accounts that
 * were forgotten stay as they are.
 *
 * @throws NotADeadLetterError (`NOT_A_DEAD_LETTER`) where one was asked for
 */
export async function replay(
  parts: DeadLetterParts,
  target: ReplayTarget,
  { actor, dryRun = false, signal }: ReplayOptions,
  size?: number,
): Promise<Replays> {
  const revive = async ({ letter }: FoundLetter): Promise<boolean> => dryRun || replayOne(parts, letter, actor)
  if (isOne(target)) {
    while (!signal?.aborted) {
      const found = await find(parts, target)
      if ((await sendable(parts, [found])).length === 0) return replaysOf(0, 1)
      if (await revive(found)) return replaysOf(1, 0)
    }
    return replaysOf(0, 0)
  }
  let replayed = 0
  let forgotten = 0
  for await (const page of deadLetterPages(parts, { ...target, ...(signal && { signal }) }, size)) {
    const letters = await sendable(parts, page)
    forgotten += page.length - letters.length
    await inParallel(letters, AT_ONCE, async (found) => {
      if (!signal?.aborted && (await revive(found))) replayed += 1
    })
  }
  return replaysOf(replayed, forgotten)
}

function replaysOf(replayed: number, forgotten: number): Replays {
  return { replayed, ...(forgotten > 0 && { forgotten }) }
}

/** Without those of accounts that were forgotten, before or after the RP was not told. Asks for the keys of all at once. */
async function sendable({ store }: DeadLetterParts, page: readonly FoundLetter[]): Promise<FoundLetter[]> {
  const open = page.filter(({ letter }) => letter.failureReason !== 'account_forgotten')
  const ids = new Set(open.map(({ sealedSubject }) => dataKeyIn(sealedSubject)).filter((id) => id !== undefined))
  if (ids.size === 0) return open
  const keys = await store.accountKeys.find([...ids])
  const destroyed = new Set(keys.filter(({ destroyedAt }) => destroyedAt !== undefined).map(({ id }) => id))
  return open.filter(({ sealedSubject }) => !destroyed.has(dataKeyIn(sealedSubject) ?? ''))
}

function isOne(target: ReplayTarget): target is { readonly delivery: string; readonly sessionUid: string } {
  return typeof target === 'object' && target !== null && 'delivery' in target
}

async function find(
  { store, issuer }: DeadLetterParts,
  { delivery, sessionUid }: { readonly delivery: string; readonly sessionUid: string },
): Promise<FoundLetter> {
  const logout = await readLogout(store, sessionUid)
  const found = deadLetterOf(logout, delivery, issuer)
  if (found) return found
  const isOurs = logout.terminations.some(
    ({ origin, owed }) => origin === issuer && owed.some((one) => one.delivery === delivery),
  )
  throw new NotADeadLetterError(delivery, (isOurs && logout.deliveries.get(delivery)?.kind) || 'unknown')
}

/** False: somebody else has replayed it meanwhile. */
async function replayOne({ store, issuer }: DeadLetterParts, letter: DeadLetter, actor: string): Promise<boolean> {
  const { delivery, sessionUid, clientId, replays } = letter
  const round = replays + 1
  const event: Replayed = {
    type: 'session_logout.back_channel.replayed',
    delivery,
    client_id: clientId,
    round,
    actor,
  }
  const commit: NewCommit = {
    events: [toEvent(sessionUid, event, deadLetterStreams(issuer, clientId))],
    claims: [{ kind: 'once', mark: `delivery:${workIdOf(delivery, round)}#replayed` }],
    meta: { instance: issuer, actor },
  }
  try {
    await store.append(commit)
    return true
  } catch (error) {
    if (error instanceof AlreadyClaimedError) return false
    throw error
  }
}
