import assert from 'node:assert/strict'
import type { Host, Logger } from '../../lib/index.ts'
import { accountSessions } from '../../plugins/account-sessions/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

describe('the page of devices and apps, in a way that nobody foresaw', () => {
  it('answers with an error that tells nothing, and says in the log what it was', async () => {
    const lines: object[] = []
    const logger = { debug() {}, info() {}, warn() {}, error: (line: object) => lines.push(line) } as unknown as Logger
    const account = accountSessions({
      logout: { terminateClientOfAccount() {} } as never,
      authenticate: () => {
        throw new Error('connect ECONNREFUSED mongodb://op:db.internal:27017')
      },
      login: '/login',
    })
    await account.start({ clock: new FakeClock(), logger } as unknown as Host)
    for (const path of ['/', '/api/sessions']) {
      const response = await account.site.fetch(new Request(`https://op.example.com/account/sessions${path}`), {})
      assert.equal(response?.status, 500)
      assert.doesNotMatch(String(await response?.text()), /ECONNREFUSED|internal:/)
      const { event, method, path: logged, err } = lines.pop() as Record<string, unknown>
      assert.deepEqual([event, method, logged], ['account_sessions_failed', 'GET', path])
      assert.match(String(err), /ECONNREFUSED/)
    }
    assert.deepEqual(lines, [])
  })
})
