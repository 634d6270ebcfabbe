import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import { only, present } from '../contract/event-store/expect.ts'
import type { KillPoint } from '../support/kill-point.ts'
import { Client, Person } from '../support/op.ts'
import { deployment, SEQUELS } from '../support/op-deployment.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'
import { eventNames } from '../support/steered-store.ts'

const ENDED = 'session_logout session_logout.terminated'
const SENT = 'session_logout session_logout.back_channel.sent'

interface Death {
  readonly point: (uri: string) => KillPoint
  /** How often the RP whose step it is will have been told, and how often the other one may have been. */
  readonly told: readonly [number, number]
}

/** Where a process dies once the logout is recorded. */
const DEATHS: Record<string, Death> = {
  'after the commit': { point: () => ({ when: 'after', step: { append: ENDED } }), told: [1, 1] },
  'before planning': { point: () => ({ when: 'before', step: { plan: true } }), told: [1, 1] },
  'after planning': { point: () => ({ when: 'after', step: { plan: true } }), told: [1, 1] },
  'before the POST': { point: (post) => ({ when: 'before', step: { post } }), told: [1, 2] },
  'after the answer and before `sent`': { point: (post) => ({ when: 'after', step: { post } }), told: [2, 2] },
  'after `sent`, before the delivery is done': {
    point: () => ({ when: 'after', step: { append: SENT, clientId: 'rp-one' } }),
    told: [1, 2],
  },
}

for (const [sequel, where] of SEQUELS) {
  describe(`an OP killed in a logout, ${sequel}`, () => {
    let one: RelyingParty
    let two: RelyingParty
    before('start the RPs', async () => {
      one = await startRp('rp-one')
      two = await startRp('rp-two')
    })
    after('stop the RPs', () => Promise.all([one.stop(), two.stop()]))
    const deployed = deployment(async () => ({ ...where, clients: [one.metadata, two.metadata] }))

    it('before the commit: the session lives, nobody is told, and confirming again ends it', async () => {
      const op = deployed()
      const login = await loggedIn()
      const page = await login.alice.endSession()
      await op.arm({ when: 'before', step: { append: ENDED } })
      await assert.rejects(login.alice.confirm(page))
      await op.death()
      const uid = await uidOf(login)
      assert.ok(!(await op.log(login.since)).flatMap(eventNames).includes(ENDED))

      await op.goOn()
      assert.ok((await login.alice.authorize('rp-one', { prompt: 'none' })).has('code'), 'the session has ended')
      assert.equal((await login.alice.confirm(page)).status, 303)
      await assertTold(login, uid, [1, 1])
      await assertEndedOnce(login)
    })

    for (const [when, { point, told }] of Object.entries(DEATHS)) {
      it(`${when}: the session has ended, and both RPs are told`, async () => {
        const op = deployed()
        const login = await loggedIn()
        const page = await login.alice.endSession()
        await op.arm(point(one.uri))
        await login.alice.confirm(page).catch(() => undefined) // death may be faster than the answer
        await op.death()
        const uid = await uidOf(login)
        await op.goOn()
        await assertTold(login, uid, told)
        await assertEndedOnce(login)
      })
    }

    it('in the middle of the POST: the session has ended, and both RPs are told, this one again', async () => {
      const op = deployed()
      const login = await loggedIn()
      const asked = new Promise<void>((resolve) => one.behave(() => resolve()))
      assert.equal((await login.alice.logout()).status, 303)
      await asked
      one.behave((_token, response) => void response.writeHead(200).end())
      await op.killWhoPosts(one.uri)
      await op.death()
      const uid = await uidOf(login)
      await op.goOn()
      await assertTold(login, uid, [2, 2])
      await assertEndedOnce(login)
    })

    interface Login {
      readonly alice: Person
      readonly bob: Person
      /** Of Alice, by RP. */
      readonly sids: ReadonlyMap<RelyingParty, unknown>
      /** How many tokens each RP had before. */
      readonly had: ReadonlyMap<RelyingParty, number>
      readonly since: number
    }

    /** Alice and Bob are logged in at both RPs. */
    async function loggedIn(): Promise<Login> {
      const op = deployed()
      const since = await op.end()
      const [alice, bob] = [new Person(op), new Person(op)]
      const sids = new Map<RelyingParty, unknown>()
      for (const rp of [one, two]) {
        await bob.authorize(rp.clientId, { login: 'bob' })
        const code = (await alice.authorize(rp.clientId)).get('code') ?? ''
        const { body } = await new Client(op, rp.metadata).exchange(code)
        sids.set(rp, decodeJwt(String(body['id_token']))['sid'])
      }
      return { alice, bob, sids, had: new Map([one, two].map((rp) => [rp, rp.tokens.length])), since }
    }

    /** Of Alice's session: the log tells, while nobody has it. */
    async function uidOf({ sids, since }: Login): Promise<string> {
      const events = (await deployed().log(since)).flatMap((commit) => commit.events)
      const registered = events.find(({ data }) => data['oidc_session_id'] === sids.get(one))
      return present(registered).stream.slice('session_logout:'.length)
    }

    /** Both RPs were told of Alice's logout so often, by tokens of their own, and the receipt says so. */
    async function assertTold(login: Login, uid: string, [ones, mostTwos]: Death['told']): Promise<void> {
      const op = deployed()
      const [end] = (await op.receipt(uid)).ends
      const states = present(end).relyingParties.map(({ clientId, state }) => [clientId, state])
      assert.deepEqual(states, [
        ['rp-one', 'confirmed'],
        ['rp-two', 'confirmed'],
      ])
      for (const rp of [one, two]) {
        const tokens = rp.tokens.slice(login.had.get(rp))
        const verified = await Promise.all(tokens.map((token) => rp.verify(token, op.issuer)))
        for (const { sub, sid } of verified) assert.deepEqual([sub, sid], ['alice', login.sids.get(rp)])
        assert.equal(new Set(verified.map(({ jti }) => jti)).size, tokens.length, 'a token was sent twice')
        if (rp === one) assert.equal(tokens.length, ones)
        else assert.ok(tokens.length >= 1 && tokens.length <= mostTwos, `rp-two was told ${tokens.length} times`)
      }
    }

    /** Alice's session has, Bob's has not; it is recorded once, with the end of the session, and so is each RP's answer. */
    async function assertEndedOnce({ alice, bob, since }: Login): Promise<void> {
      const op = deployed()
      assert.equal((await alice.authorize('rp-one', { prompt: 'none' })).get('error'), 'login_required')
      assert.ok((await bob.authorize('rp-one', { prompt: 'none' })).has('code'), "another person's session has ended")
      const log = (await op.log(since)).map(eventNames)
      const end = only(log.filter((names) => names.includes(ENDED)))
      assert.ok(end.includes('Session destroyed'), `${ENDED} is not in the commit that ended the session`)
      assert.equal(log.flat().filter((name) => name === SENT).length, 2)
    }
  })
}
