import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { EventStore } from '../../lib/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { allThatOpens } from '../support/all-that-opens.ts'
import { until } from '../support/log-follower.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'
import { newPlace, openPlace } from '../support/store-place.ts'

const ALICE = 'alice.to.be.forgotten@example.com'
const BOB = 'bob.who.stays@example.com'
const FORGET = { actor: 'anna', settleMs: 0 }

describe('forgetting an account', () => {
  for (const kind of ['memory', 'file', 'mongodb'] as const) {
    describe(`on ${kind}`, () => {
      let stores: { readonly store: EventStore; close(): Promise<void> }[]
      let drop: () => Promise<void>
      let folder: string | undefined
      let rp: RelyingParty
      let op: Op
      let logout: ReturnType<typeof backChannelLogout>
      /** Another process of the same OP, where the store can be shared. */
      let other: Op

      before(async () => {
        rp = await startRp('rp', { grant_types: ['authorization_code', 'refresh_token'] })
        if (kind === 'memory') {
          const store = new MemoryEventStore()
          stores = [{ store, close: () => store.close() }]
          drop = async () => {}
        } else {
          const place = await newPlace(kind)
          drop = () => place.drop()
          folder = place.place.kind === 'file' ? place.place.folder : undefined
          stores = [await openPlace(place.place)]
          if (kind === 'mongodb') stores.push(await openPlace(place.place))
        }
        const clients = [rp.metadata, testClient('plain')]
        const options = (plugin: ReturnType<typeof backChannelLogout>) => ({ plugins: [plugin], clients })
        const network = { development: true, allowInternal: ['rp'] }
        logout = backChannelLogout(network)
        op = await startOp(storeOf(0), options(logout))
        other =
          stores.length > 1
            ? await startOp(storeOf(1), { ...options(backChannelLogout(network)), issuer: op.issuer })
            : op
      })

      after(async () => {
        await op.stop()
        if (other !== op) await other.stop()
        for (const { close } of stores) await close()
        await rp.stop()
        await drop()
      })

      function storeOf(index: number): EventStore {
        return (stores[index] as (typeof stores)[number]).store
      }

      /** The same browser asks another process, with no page in between. Where that sends it. */
      async function silently({ agent }: Person, process: Op, url: string): Promise<string> {
        const cookie = ['_session', '_session.sig'].map((name) => `${name}=${agent.cookie(name)}`).join('; ')
        const there = `${url.replace(op.issuer, `http://127.0.0.1:${process.port}`)}&prompt=none`
        return (await agent.get(there, { cookie })).headers.get('location') ?? ''
      }

      it('ends what lives, tells the RPs, and leaves nothing of it that anybody can open', async () => {
        const [alice, bob] = [new Person(op), new Person(op)]
        const client = new Client(op, rp.metadata)
        const refreshTokens: string[] = []
        for (const [person, login] of [
          [alice, ALICE],
          [bob, BOB],
        ] as const) {
          const answer = await person.authorize('rp', { login, scope: 'openid offline_access', prompt: 'consent' })
          const { body } = await client.exchange(String(answer.get('code')))
          refreshTokens.push(String(body['refresh_token']))
          // The other process holds the keys as well.
          assert.match(await silently(person, other, person.authorizationUrl('plain')), /error=consent_required/)
        }
        const before = await allThatOpens(storeOf(0))
        for (const login of [ALICE, BOB]) assert.ok(before.includes(login))

        const keys = await storeOf(0).accountKeys.list({ limit: 10 })
        const report = await op.eventSourced.forget(ALICE, FORGET)
        assert.deepEqual([report.ended >= 2, report.keys, typeof report.destroyedAt], [true, 1, 'number'])

        const tokens = await rp.received(1)
        const told = await Promise.all(tokens.map((token) => rp.verify(token, op.issuer)))
        assert.ok(told.some(({ sub }) => sub === ALICE))
        await until(async () => (await storeOf(0).work('deliveries').countOpen()) === 0)
        const opens = await allThatOpens(storeOf(0))
        assert.deepEqual([opens.includes(ALICE), opens.includes(BOB)], [false, true])
        if (folder !== undefined) {
          const journal = await readFile(join(folder, 'journal.log'), 'utf8')
          const left = await storeOf(0).accountKeys.find(keys.map(({ id }) => id))
          const destroyed = left.filter(({ sealed }) => sealed === undefined).map(({ id }) => id)
          const inFile = keys.map(({ id, sealed = '' }) => [destroyed.includes(id), journal.includes(sealed)])
          assert.deepEqual(inFile.sort(), [
            [false, true],
            [true, false],
          ])
        }
        const answers = await Promise.all(refreshTokens.map((token) => client.refresh(token)))
        assert.deepEqual(
          answers.map(({ body }) => body['error']),
          ['invalid_grant', undefined],
        )
      })

      it('answers nothing of it, in any process, and counts it', async () => {
        const receipts = []
        for await (const receipt of logout.history({ since: 0 })) receipts.push(receipt)
        assert.ok(receipts.length > 0)
        const terminations = []
        for await (const { accountId, of } of logout.terminations()) terminations.push([of, accountId])
        assert.ok(terminations.some(([of, accountId]) => of === 'account' && accountId === undefined))
        const sessions = []
        for await (const session of logout.sessions({ account: ALICE })) sessions.push(session)
        assert.deepEqual(sessions, [])
      })

      it('lets somebody with the same id log in anew, in each process, and forgets him as well', async () => {
        for (const process of [op, other]) {
          const again = new Person(op)
          const page = await again.agent.get(again.authorizationUrl('rp'))
          const answer = await again.finish(page, ALICE)
          assert.ok(answer.get('code'))
          assert.match(await silently(again, process, again.authorizationUrl('rp')), /code=/)
        }
        assert.ok((await allThatOpens(storeOf(0))).includes(ALICE))
        const { ended, keys } = await op.eventSourced.forget(ALICE, FORGET)
        assert.deepEqual([ended >= 4, keys], [true, 2])
        assert.equal((await allThatOpens(storeOf(0))).includes(ALICE), false)
      })

      it('is done again without harm', async () => {
        const { ended, keys } = await op.eventSourced.forget(ALICE, FORGET)
        assert.equal(ended, 0)
        assert.ok(keys >= 2)
        assert.equal((await allThatOpens(storeOf(0))).includes(BOB), true)
      })
    })
  }
})
