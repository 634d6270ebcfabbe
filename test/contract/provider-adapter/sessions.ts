import assert from 'node:assert/strict'
import { eventNames } from '../../support/steered-store.ts'
import { attached, inRequests, type MakeLog, openedStore, Refused } from './adapter-under-test.ts'
import { newId, sample } from './samples.ts'

export function sessionsContract(makeLog: MakeLog): void {
  describe('a session whose id rotates', () => {
    const opened = openedStore(makeLog)

    it('does so in one commit', async () => {
      const caller = inRequests(opened.store)
      const [oldId, id, uid] = [newId(), newId(), newId()]
      await caller.run((adapter) => adapter('Session').upsert(oldId, sample('Session', oldId, { uid }), 60))
      const commits = opened.store.commits.length
      const payload = sample('Session', id, { uid })
      await caller.run(async (adapter) => {
        await adapter('Session').find(oldId)
        await adapter('Session').destroy(oldId)
        await adapter('Session').upsert(id, payload, 60)
      })
      assert.deepEqual(opened.store.commits.slice(commits).map(eventNames), [['Session destroyed', 'Session stored']])
      assert.equal(await caller.run((adapter) => adapter('Session').find(oldId)), undefined)
      assert.deepEqual(await caller.run((adapter) => adapter('Session').find(id)), payload)
      assert.deepEqual(await caller.run((adapter) => adapter('Session').findByUid(uid)), payload)
    })

    it('is found by its uid at every moment, however often it rotates', async () => {
      const caller = inRequests(opened.store)
      const uid = newId()
      let id = newId()
      await caller.run((adapter) => adapter('Session').upsert(id, sample('Session', id, { uid }), 60))
      let rotating = true
      const watching = (async () => {
        for (let looks = 0; ; looks++) {
          if (!rotating) return looks
          assert.ok(await caller.run((adapter) => adapter('Session').findByUid(uid)), 'the session seemed gone')
          await new Promise((resolve) => setImmediate(resolve))
        }
      })()
      for (let n = 0; n < 25; n++) {
        const [oldId, payload] = [id, sample('Session', newId(), { uid })]
        id = String(payload['jti'])
        await caller.run(async (adapter) => {
          await adapter('Session').find(oldId)
          await adapter('Session').destroy(oldId)
          await new Promise((resolve) => setImmediate(resolve))
          await adapter('Session').upsert(id, payload, 60)
          await adapter('Session').destroy(oldId) // the provider does it twice on some routes
        })
      }
      rotating = false
      assert.ok((await watching) > 1)
    })
  })

  describe('a session that ended', () => {
    const opened = openedStore(makeLog)

    it('does not come back under another id in a request that was in flight', async () => {
      const caller = inRequests(opened.store)
      const [id, rotated, uid] = [newId(), newId(), newId()]
      await caller.run((adapter) => adapter('Session').upsert(id, sample('Session', id, { uid }), 60))
      const inFlight = caller.run(async (adapter) => {
        await adapter('Session').find(id)
        await inRequests(opened.store).run((other) => other('Session').destroy(id))
        await adapter('Session').destroy(id)
        await adapter('Session').upsert(rotated, sample('Session', rotated, { uid }), 60)
      })
      await assert.rejects(inFlight, (error) => error instanceof Refused && error.status === 307)
      for (const one of [id, rotated]) {
        assert.equal(await caller.run((adapter) => adapter('Session').find(one)), undefined)
      }
      assert.equal(await caller.run((adapter) => adapter('Session').findByUid(uid)), undefined)
    })

    it('does not come back by what application code of an attached provider saves', async () => {
      const { op } = attached(opened.store)
      const [id, uid] = [newId(), newId()]
      await op.adapter('Session').upsert(id, sample('Session', id, { uid }), 60)
      await op.adapter('Session').destroy(id)
      for (const late of [id, newId()]) {
        await op.adapter('Session').upsert(late, sample('Session', late, { uid }), 60)
        assert.equal(await op.adapter('Session').find(late), undefined)
      }
      assert.equal(await op.adapter('Session').findByUid(uid), undefined)
    })
  })

  describe('a session that two requests write at once', () => {
    const opened = openedStore(makeLog)

    it('keeps the authorizations of both, and the later expiry', async () => {
      const caller = inRequests(opened.store)
      const [id, uid] = [newId(), newId()]
      const start = sample('Session', id, { uid, authorizations: {}, exp: 2_000_000_000 })
      await caller.run((adapter) => adapter('Session').upsert(id, start, 60))
      const adding = (client: string, exp: number) => ({ ...start, exp, authorizations: { [client]: { sid: client } } })
      await caller.run(async (adapter) => {
        await adapter('Session').find(id)
        await inRequests(opened.store).run(async (other) => {
          await other('Session').find(id)
          await other('Session').upsert(id, adding('rp-two', 2_000_000_200), 60)
        })
        await adapter('Session').upsert(id, adding('rp-one', 2_000_000_100), 60)
      })
      assert.deepEqual(await caller.run((adapter) => adapter('Session').find(id)), {
        ...start,
        exp: 2_000_000_200,
        authorizations: { 'rp-one': { sid: 'rp-one' }, 'rp-two': { sid: 'rp-two' } },
      })
    })

    it('is repeated by the one that meets another account', async () => {
      const caller = inRequests(opened.store)
      const [id, uid] = [newId(), newId()]
      const start = sample('Session', id, { uid })
      await caller.run((adapter) => adapter('Session').upsert(id, start, 60))
      const loser = caller.run(async (adapter) => {
        await adapter('Session').find(id)
        await inRequests(opened.store).run(async (other) => {
          await other('Session').find(id)
          await other('Session').upsert(id, { ...start, accountId: 'bob' }, 60)
        })
        await adapter('Session').upsert(id, { ...start, exp: 2_000_000_000 }, 60)
        await adapter('Grant').upsert(newId(), sample('Grant', newId()), 60)
      })
      await assert.rejects(loser, (error) => error instanceof Refused && error.status === 307)
      assert.equal((await caller.run((adapter) => adapter('Session').find(id)))?.['accountId'], 'bob')
    })

    it('is repeated at this host, whatever the path of the request looks like', async () => {
      const [id, uid] = [newId(), newId()]
      const start = sample('Session', id, { uid })
      const caller = inRequests(opened.store, '//evil.example.com/auth?a=b')
      await caller.run((adapter) => adapter('Session').upsert(id, start, 60))
      const loser = caller.run(async (adapter) => {
        await adapter('Session').find(id)
        await inRequests(opened.store).run((other) => other('Session').destroy(id))
        await adapter('Session').upsert(id, start, 60)
      })
      await assert.rejects(loser, new Refused(307, '/evil.example.com/auth?a=b'))
    })

    it('takes what application code saves on top of the newest state', async () => {
      const sessions = attached(opened.store).op.adapter('Session')
      const [id, uid] = [newId(), newId()]
      for (const n of [1, 2, 3]) await sessions.upsert(id, sample('Session', id, { uid, n }), 60)
      assert.equal((await sessions.find(id))?.['n'], 3)
      const many = Array.from({ length: 8 }, (_, n) =>
        sessions.upsert(id, sample('Session', id, { uid, n: 10 + n }), 60),
      )
      await Promise.all(many)
      assert.ok(Number((await sessions.find(id))?.['n']) >= 10)
    })
  })
}
