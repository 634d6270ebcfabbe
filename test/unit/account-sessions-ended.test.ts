import assert from 'node:assert/strict'
import { endOthers, revokeApp } from '../../plugins/account-sessions/ends/ends.ts'
import { toldApps } from '../../plugins/account-sessions/ends/told-apps.ts'
import type { OwnParts } from '../../plugins/account-sessions/own/parts.ts'
import { Wording } from '../../plugins/account-sessions/page/wording.ts'
import type { BackChannelLogout, TerminationReport } from '../../plugins/back-channel-logout/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

const NONE = { sessions: 0, logins: 0, grants: 0, failed: 0 }

/** Parts with a back-channel logout that answers as it is told. */
function partsWith(logout: object): OwnParts {
  const host = { clock: new FakeClock(), provider: { Client: { find: async () => undefined } } }
  return { host, logout: logout as BackChannelLogout, hidden: new Set() } as unknown as OwnParts
}

/** Of a session with one login. */
function receipt(state: string, clientId: string): object {
  const ends = [{ actor: 'account:self', at: 1, relyingParties: [{ clientId, state }] }]
  return { settled: true, ends }
}

async function* nothing(): AsyncGenerator<never, void> {}

describe('what was ended for an account', () => {
  it('is not settled before the termination is carried out, though nobody is still to be told so far', async () => {
    let report: TerminationReport | undefined
    const parts = partsWith({ termination: async () => report, receiptsOf: nothing })
    const reference = { of: 'termination', id: 'id', at: 0, clientIds: ['shop'] } as const
    const none = { told: [], telling: [], unreached: [], spared: [] }
    assert.deepEqual(await toldApps(parts, reference), { ...none, untold: [], settled: false, more: false })
    report = { id: 'id', ...NONE }
    assert.deepEqual(await toldApps(parts, reference), {
      ...none,
      untold: [{ clientId: 'shop', name: 'shop' }],
      settled: true,
      more: false,
    })
  })

  for (const [sessions, more] of [
    [100, false],
    [101, true],
  ] as const) {
    it(`is ${more ? 'never ' : ''}settled where ${sessions} sessions ended, of which the first 100 are looked at`, async () => {
      const limits: number[] = []
      const parts = partsWith({
        termination: async () => ({ id: 'id', ...NONE }),
        receiptsOf: async function* (_: string, { limit }: { limit: number }) {
          limits.push(limit)
          for (let at = 1; at <= Math.min(limit, sessions); at++)
            yield at > 100 ? receipt('abandoned', 'bank') : receipt('confirmed', 'shop')
        },
      })
      const told = await toldApps(parts, { of: 'termination', id: 'id', at: 0, clientIds: ['shop', 'mail'] })
      const { settled, unreached, untold } = told
      assert.deepEqual([settled, told.more, unreached, limits], [!more, more, [], [101]])
      assert.deepEqual(untold, more ? [] : [{ clientId: 'mail', name: 'mail' }])
      assert.deepEqual(new Wording({}).told(told), {
        told: 'Told: shop.',
        ...(more
          ? {
              more: 'This is of the first 100 sessions that ended. What apps of the others were told is not shown here.',
            }
          : { untold: 'Cannot be told: mail. They may keep you signed in for a while.' }),
      })
    })
  }

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
