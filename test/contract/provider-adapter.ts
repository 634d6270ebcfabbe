import type { Capabilities, MakeLog } from './provider-adapter/adapter-under-test.ts'
import { foundByContract } from './provider-adapter/found-by.ts'
import { grantsContract } from './provider-adapter/grants.ts'
import { hashingKeysContract } from './provider-adapter/hashing-keys.ts'
import { idsContract } from './provider-adapter/ids.ts'
import { modelsContract } from './provider-adapter/models.ts'
import { oneCommitContract } from './provider-adapter/one-commit.ts'
import { providerReferenceContract } from './provider-adapter/provider-reference.ts'
import { racesContract } from './provider-adapter/races.ts'
import { rekeyContract } from './provider-adapter/rekey.ts'
import { sealingKeysContract } from './provider-adapter/sealing-keys.ts'
import { sessionsContract } from './provider-adapter/sessions.ts'
import { thiefContract } from './provider-adapter/thief.ts'

export type { Capabilities, LogUnderTest, MakeLog } from './provider-adapter/adapter-under-test.ts'

/** What oidc-provider's adapter keeps to on every event store. Registers a mocha suite. */
export function providerAdapterContract(name: string, makeLog: MakeLog, capabilities: Capabilities): void {
  describe(`the contract of oidc-provider's adapter on ${name}`, () => {
    modelsContract(makeLog)
    foundByContract(makeLog)
    sessionsContract(makeLog)
    grantsContract(makeLog)
    idsContract(makeLog, capabilities)
    oneCommitContract(makeLog)
    racesContract(makeLog)
    thiefContract(makeLog, capabilities)
    providerReferenceContract(makeLog, capabilities)
    sealingKeysContract(makeLog)
    hashingKeysContract(makeLog, capabilities)
    rekeyContract(makeLog)
  })
}
