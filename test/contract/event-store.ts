import { accountKeysContract } from './event-store/account-keys.ts'
import { appendContract } from './event-store/append.ts'
import { badCommitsContract } from './event-store/bad-commits.ts'
import { claimsContract } from './event-store/claims.ts'
import { closingContract } from './event-store/closing.ts'
import { consumersContract } from './event-store/consumers.ts'
import { contentContract } from './event-store/content.ts'
import { indexesContract } from './event-store/indexes.ts'
import { keptContract } from './event-store/kept.ts'
import { livenessContract } from './event-store/liveness.ts'
import type { Capabilities, MakeLog } from './event-store/log-under-test.ts'
import { readContract } from './event-store/read.ts'
import { retentionContract } from './event-store/retention.ts'
import { sharedContract } from './event-store/shared.ts'
import { subscriptionContract } from './event-store/subscription.ts'
import { versionsContract } from './event-store/versions.ts'
import { workContract } from './event-store/work.ts'
import { workDeadlinesContract } from './event-store/work-deadlines.ts'
import { workLanesContract } from './event-store/work-lanes.ts'
import { workOutcomesContract } from './event-store/work-outcomes.ts'
import { workersContract } from './event-store/workers.ts'

export type { Capabilities, LogUnderTest, MakeLog } from './event-store/log-under-test.ts'

/** What every event store keeps to. Registers a mocha suite; `makeLog` is asked for a fresh log several times. */
export function eventStoreContract(name: string, makeLog: MakeLog, capabilities: Capabilities): void {
  describe(`the event store contract on ${name}`, () => {
    appendContract(makeLog, capabilities)
    contentContract(makeLog, capabilities)
    badCommitsContract(makeLog)
    readContract(makeLog)
    claimsContract(makeLog)
    versionsContract(makeLog)
    subscriptionContract(makeLog)
    closingContract(makeLog, capabilities)
    consumersContract(makeLog, capabilities)
    livenessContract(makeLog)
    workContract(makeLog)
    workOutcomesContract(makeLog)
    workDeadlinesContract(makeLog)
    workLanesContract(makeLog, capabilities)
    workersContract(makeLog)
    indexesContract(makeLog, capabilities.kept)
    retentionContract(makeLog, capabilities.kept)
    accountKeysContract(makeLog, capabilities.kept)
    if (capabilities.kept) keptContract(makeLog)
    if (capabilities.shared) sharedContract(makeLog)
  })
}
