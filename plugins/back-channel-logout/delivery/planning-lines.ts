import type { Logger, NewWork, WorkTable } from '../../../lib/index.ts'
import { roundOf } from '../recording/session-logout-events.ts'
import { lanePrefix } from '../work/lanes.ts'
import { type Delivery, fromBody } from './delivery.ts'

/** So many RPs of a session are named in a line. */
const NAMED = 20

/** A line for each session: why it ended, and who is being told; or told again. */
export function logPlanned(logger: Logger, work: readonly NewWork[]): void {
  for (const [session, deliveries] of bySessionUid(work)) {
    const reason = deliveries[0]?.reason
    const rps = deliveries.filter((delivery) => roundOf(delivery) === 0).map(({ clientId }) => clientId)
    if (rps.length > 0)
      logger.info(
        { event: 'session_ended', session, reason, ...someOf(rps) },
        `a session ended (${reason}): telling ${named(rps)}`,
      )
    const again = deliveries.filter((delivery) => roundOf(delivery) > 0).map(({ clientId }) => clientId)
    if (again.length > 0)
      logger.info(
        { event: 'dead_letters_replayed', session, reason, ...someOf(again) },
        `dead letters are replayed: telling ${named(again)} again`,
      )
  }
}

function someOf(rps: readonly string[]): { readonly rps: readonly string[]; readonly rps_in_all: number } {
  return { rps: rps.slice(0, NAMED), rps_in_all: rps.length }
}

function named(rps: readonly string[]): string {
  const some = rps.slice(0, NAMED).join(', ')
  return rps.length > NAMED ? `${some} and ${rps.length - NAMED} more` : some
}

function bySessionUid(work: readonly NewWork[]): Map<string, Delivery[]> {
  const found = new Map<string, Delivery[]>()
  for (const delivery of work.map(({ body }) => fromBody(body))) {
    const of = found.get(delivery.sessionUid) ?? []
    found.set(delivery.sessionUid, of)
    of.push(delivery)
  }
  return found
}

/** So many are counted of what is owed: a start must not depend on how much that is. */
const COUNTED = 100

/** A line at the start, where the last one left something to do. */
export async function logBacklog(logger: Logger, work: WorkTable, issuer: string): Promise<void> {
  const { length } = await work.open({ prefix: lanePrefix(issuer), limit: COUNTED })
  if (length > 0)
    logger.info(
      { event: 'deliveries_left', deliveries: length, is_exact: length < COUNTED },
      'logout tokens are owed from before the start: they go on, within 15 s where a process that died had them in hand',
    )
}
