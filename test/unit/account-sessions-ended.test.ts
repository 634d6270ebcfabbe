import assert from 'node:assert/strict'
import { endOthers, revokeApp } from '../../plugins/account-sessions/ends/ends.ts'
import { toldApps } from '../../plugins/account-sessions/ends/told-apps.ts'
import type { OwnParts } from '../../plugins/account-sessions/own/parts.ts'
import type { BackChannelLogout, TerminationReport } from '../../plugins/back-channel-logout/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

const NONE = { sessions: 0, logins: 0, grants: 0, failed: 0 }

/** Parts with a back-channel logout that answers as it is told. */
function partsWith(logout: object): OwnParts {
  const host = { clock: new FakeClock(), provider: { Client: { find: async () => undefined } } }
  return { host, logout: logout as BackChannelLogout, hidden: new Set() } as unknown as OwnParts
}

async function* nothing(): AsyncGenerator<never, void> {}

describe('what was ended for an account', () => {
  it('is not settled before the termination is carried out, though nobody is still to be told so far', async () => {
    let report: TerminationReport | undefined
    const parts = partsWith({ termination: async () => report, receiptsOf: nothing })
    const reference = { of: 'termination', id: 'id', at: 0, clientIds: ['shop'] } as const
    const none = { told: [], telling: [], unreached: [], spared: [] }
    assert.deepEqual(await toldApps(parts, reference), { ...none, untold: [], settled: false })
    report = { id: 'id', ...NONE }
    assert.deepEqual(await toldApps(parts, reference), {
      ...none,
      untold: [{ clientId: 'shop', name: 'shop' }],
      settled: true,
    })
  })

  it('is not taken for ended where some of it could not be', async () => {
    const ends = async (_: string, { onOrdered }: { onOrdered: (id: string) => void }): Promise<TerminationReport> => {
      onOrdered('id')
      return { id: 'id', ...NONE, sessions: 1, failed: 1 }
    }
    const parts = partsWith({
      sessions: nothing,
      grants: async function* () {
        yield {}
      },
      terminateAccount: ends,
      terminateClientOfAccount: (account: string, _client: string, options: never) => ends(account, options),
    })
    const who = { accountId: 'alice', authenticatedAt: 0 }
    await assert.rejects(endOthers(parts, who), { status: 503, code: 'ENDED_IN_PART' })
    await assert.rejects(revokeApp(parts, who, 'shop'), { status: 503, code: 'ENDED_IN_PART' })
  })
})
