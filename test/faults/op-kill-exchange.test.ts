import assert from 'node:assert/strict'
import type { Commit } from '../../lib/index.ts'
import { only } from '../contract/event-store/expect.ts'
import { Client, Person, testClient } from '../support/op.ts'
import { deployment, SEQUELS } from '../support/op-deployment.ts'
import { eventNames } from '../support/steered-store.ts'

/** All that a code exchange is, in one commit. */
const WHOLE = ['AccessToken stored', 'AuthorizationCode consumed', 'RefreshToken stored']

for (const [sequel, where] of SEQUELS) {
  describe(`an OP killed in a code exchange, ${sequel}`, () => {
    const rp = testClient('rp')
    const deployed = deployment(async () => ({ ...where, clients: [rp] }))

    it('before the commit: nothing happened, and the code is good for one exchange', async () => {
      const op = deployed()
      const { client, code, since } = await authorized()
      await op.arm({ when: 'before', step: { append: 'AuthorizationCode consumed' } })
      await assert.rejects(client.exchange(code))
      await op.death()
      assert.deepEqual(exchanges(await op.log(since)), [])

      await op.goOn()
      const answers = await Promise.all([1, 2, 3, 4].map(() => client.exchange(code)))
      const { body } = only(answers.filter(({ status }) => status === 200))
      assert.equal(typeof body['access_token'], 'string')
      for (const { status, body } of answers) if (status !== 200) assert.equal(body['error'], 'invalid_grant')
      assert.deepEqual(exchanges(await op.log(since)), [WHOLE])
    })

    it('after the commit: the code is spent, and what nobody got is revoked when it is shown again', async () => {
      const op = deployed()
      const { client, code, since } = await authorized()
      await op.arm({ when: 'after', step: { append: 'AuthorizationCode consumed' } })
      await assert.rejects(client.exchange(code))
      await op.death()
      assert.deepEqual(exchanges(await op.log(since)), [WHOLE])

      await op.goOn()
      for (const { status, body } of [await client.exchange(code), await client.exchange(code)])
        assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
      const log = await op.log(since)
      assert.deepEqual(exchanges(log), [WHOLE])
      const grants = log.flatMap(({ events }) => events).filter(({ stream }) => stream.startsWith('Grant:'))
      assert.deepEqual(
        grants.map(({ type }) => type),
        ['destroyed'],
        'what was issued under it is dead with it',
      )
    })

    it('after the answer: the tokens live, and the code is spent', async () => {
      const op = deployed()
      const { client, code, since } = await authorized()
      const { status, body } = await client.exchange(code)
      assert.equal(status, 200)
      await op.killOne()
      await op.death()
      assert.deepEqual(exchanges(await op.log(since)), [WHOLE])

      await op.goOn()
      assert.equal((await client.introspect(String(body['access_token']))).body['active'], true)
      assert.equal((await client.refresh(String(body['refresh_token']))).status, 200)
      assert.equal((await client.exchange(code)).body['error'], 'invalid_grant')
    })

    /** A person is back at the RP with a code. `since`: how far the log was then. */
    async function authorized(): Promise<{ client: Client; code: string; since: number }> {
      const op = deployed()
      const answer = await new Person(op).authorize('rp', { scope: 'openid offline_access', prompt: 'consent' })
      return { client: new Client(op, rp), code: answer.get('code') ?? '', since: await op.end() }
    }
  })
}

/** What else happened where a code was consumed or a token stored, commit by commit. */
function exchanges(log: readonly Commit[]): string[][] {
  return log
    .map(({ events }) => eventNames({ events }).sort())
    .filter((names) => names.some((name) => WHOLE.includes(name)))
}
