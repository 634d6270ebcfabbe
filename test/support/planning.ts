import { AccountKeys, type Commit, type EventStore, type NewWork, systemClock } from '../../lib/index.ts'
import { type PlanParts, plan } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { LongLogouts } from '../../plugins/back-channel-logout/recording/long-logouts.ts'

/** The OP in whose name the tests' sessions end. */
export const OP = 'https://op.example.com'

/** A process that knows no client with a URI. */
export const nobodyToTell: PlanParts['clients'] = { find: async () => undefined }

/** The work that planning these commits makes. */
export async function workOf(
  store: EventStore,
  commits: readonly Commit[],
  now: number,
  clients: PlanParts['clients'] = nobodyToTell,
): Promise<readonly NewWork[]> {
  const accountKeys = new AccountKeys(store, systemClock)
  return (await plan({ logouts: new LongLogouts(store), issuer: OP, clients, accountKeys }, commits, now)).work
}
