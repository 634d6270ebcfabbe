import assert from 'node:assert/strict'
import type { Commit } from '../../lib/index.ts'
import type { KillPoint } from '../support/kill-point.ts'
import { Client, Person } from '../support/op.ts'
import { deployment, SEQUELS } from '../support/op-deployment.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'
import { eventNames } from '../support/steered-store.ts'
import type { Answer } from '../support/user-agent.ts'

/** All that the end of an authorization is, in one commit. */
const WHOLE = [
  'AuthorizationCode stored',
  'Interaction destroyed',
  'Session destroyed',
  'Session stored',
  'session_logout session_logout.back_channel.registered',
]

const SUBMISSION: Record<string, KillPoint> = {
  'before the grant is stored': { when: 'before', step: { append: 'Grant stored' } },
  'after the grant is stored, before the answer to the question is': {
    when: 'after',
    step: { append: 'Grant stored' },
  },
  'after both are stored, before the browser is told': { when: 'after', step: { append: 'Interaction stored' } },
}

for (const [sequel, where] of SEQUELS) {
  describe(`an OP killed in a consent, ${sequel}`, () => {
    let rp: RelyingParty
    before(async () => {
      rp = await startRp('rp')
    })
    after(() => rp.stop())
    const deployed = deployment(async () => ({ ...where, clients: [rp.metadata] }))

    for (const [when, point] of Object.entries(SUBMISSION)) {
      it(`${when}: no code, no session change, and submitting it again leads to the RP`, async () => {
        const op = deployed()
        const { person, page, since } = await asked()
        await op.arm(point)
        await assert.rejects(person.submit(page))
        await op.death()
        assert.deepEqual(authorizations(await op.log(since)), [])

        await op.goOn()
        await assertGood(await person.finish(await person.submit(page)))
        assert.deepEqual(authorizations(await op.log(since)), [WHOLE])
      })
    }

    it('before the commit of its end: nothing happened, and the same request leads to the RP', async () => {
      const op = deployed()
      const { person, page, since } = await asked()
      const consented = await person.submit(page)
      await op.arm({ when: 'before', step: { append: 'AuthorizationCode stored' } })
      await assert.rejects(person.finish(consented))
      await op.death()
      assert.deepEqual(authorizations(await op.log(since)), [])

      await op.goOn()
      await assertGood(await person.finish(consented))
      assert.deepEqual(authorizations(await op.log(since)), [WHOLE])
    })

    it('after the commit of its end: all of it happened, and the person gets to the RP from the start', async () => {
      const op = deployed()
      const { person, page, since } = await asked()
      const consented = await person.submit(page)
      await op.arm({ when: 'after', step: { append: 'AuthorizationCode stored' } })
      await assert.rejects(person.finish(consented))
      await op.death()
      assert.deepEqual(authorizations(await op.log(since)), [WHOLE])

      await op.goOn()
      await assert.rejects(person.finish(consented), /interaction session not found|SessionNotFound/)
      await assertGood(await person.authorize('rp'))
      const all = authorizations(await op.log(since))
      const ends = all.filter((names) => names.includes('AuthorizationCode stored'))
      assert.deepEqual(ends, [WHOLE, WHOLE])
      assert.ok(!all.flat().includes('session_logout session_logout.terminated'))
    })

    /** A person has logged in and is asked for consent. `since`: how far the log was then. */
    async function asked(): Promise<{ person: Person; page: Answer; since: number }> {
      const op = deployed()
      const person = new Person(op)
      const login = await person.agent.follow(await person.agent.get(person.authorizationUrl('rp')))
      const page = await person.agent.follow(await person.submit(login))
      return { person, page, since: await op.end() }
    }

    /** It is a code that can be exchanged, of a login that lives. */
    async function assertGood(answer: URLSearchParams): Promise<void> {
      const client = new Client(deployed(), rp.metadata)
      const { status, body } = await client.exchange(answer.get('code') ?? '')
      assert.equal(status, 200)
      assert.equal((await client.userinfo(String(body['access_token']))).body['sub'], 'alice')
    }
  })
}

/** What else happened where a code was stored, a session changed or a login registered, commit by commit. */
function authorizations(log: readonly Commit[]): string[][] {
  const telling = /^(AuthorizationCode stored|Session .*|session_logout .*)$/
  return log.map((commit) => eventNames(commit).sort()).filter((names) => names.some((name) => telling.test(name)))
}
