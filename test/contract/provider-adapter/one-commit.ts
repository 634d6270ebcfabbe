import assert from 'node:assert/strict'
import { eventNames } from '../../support/steered-store.ts'
import { alone, attached, FakeContext, inRequests, type MakeLog, openedStore, Refused } from './adapter-under-test.ts'
import { revokeAll } from './grants.ts'
import { newId, sample } from './samples.ts'

export function oneCommitContract(makeLog: MakeLog): void {
  describe('a request', () => {
    const opened = openedStore(makeLog)

    it('is one commit, of all that it wrote, once it is over', async () => {
      const [code, token, grantId] = [newId(), newId(), newId()]
      const caller = inRequests(opened.store)
      await caller.run((adapter) => adapter('AuthorizationCode').upsert(code, sample('AuthorizationCode', code), 60))
      const before = opened.store.commits.length
      await caller.run(async (adapter) => {
        await adapter('AuthorizationCode').consume(code)
        await adapter('AccessToken').upsert(token, sample('AccessToken', token), 60)
        await adapter('Grant').upsert(grantId, sample('Grant', grantId), 60)
        assert.equal(opened.store.commits.length, before)
      })
      const [commit, ...more] = opened.store.commits.slice(before)
      assert.deepEqual(more, [])
      assert.deepEqual(commit && eventNames(commit), [
        'AuthorizationCode consumed',
        'AccessToken stored',
        'Grant stored',
      ])
      assert.equal(commit?.meta?.instance, 'https://op.example.com')
    })

    it('that only reads appends nothing', async () => {
      const before = opened.store.commits.length
      await inRequests(opened.store).run((adapter) => adapter('AccessToken').find(newId()))
      assert.equal(opened.store.commits.length, before)
    })

    it('sees what it has staged: stored, consumed, destroyed, revoked', async () => {
      const [id, grantId] = [newId(), newId()]
      await inRequests(opened.store).run(async (adapter) => {
        const codes = adapter('AuthorizationCode')
        assert.equal(await codes.find(id), undefined)
        const payload = sample('AuthorizationCode', id, { grantId })
        await codes.upsert(id, payload, 60)
        assert.deepEqual(await codes.find(id), payload)
        await codes.consume(id)
        const consumed = (await codes.find(id))?.['consumed']
        assert.equal(typeof consumed, 'number')
        await codes.upsert(id, { ...payload, more: 1 }, 60)
        assert.deepEqual(await codes.find(id), { ...payload, more: 1, consumed })
        await revokeAll(adapter, grantId)
        assert.equal(await codes.find(id), undefined)
      })
      await inRequests(opened.store).run(async (adapter) => {
        const sessions = adapter('Session')
        await sessions.upsert(id, sample('Session', id, { uid: id }), 60)
        assert.ok(await sessions.find(id))
        assert.ok(await sessions.findByUid(id))
        await sessions.destroy(id)
        assert.equal(await sessions.find(id), undefined)
        assert.equal(await sessions.findByUid(id), undefined)
      })
      for (const model of ['AuthorizationCode', 'Session'] as const) {
        assert.equal(await inRequests(opened.store).run((adapter) => adapter(model).find(id)), undefined)
      }
    })

    it('sees what it has staged over what is in the log, by uid too', async () => {
      const [oldId, id, uid] = [newId(), newId(), newId()]
      const caller = inRequests(opened.store)
      await caller.run((adapter) => adapter('Session').upsert(oldId, sample('Session', oldId, { uid }), 60))
      await caller.run(async (adapter) => {
        const sessions = adapter('Session')
        await sessions.find(oldId)
        await sessions.upsert(oldId, sample('Session', oldId, { uid, n: 1 }), 60)
        assert.equal((await sessions.findByUid(uid))?.['n'], 1)
        await sessions.destroy(oldId)
        await sessions.upsert(id, sample('Session', id, { uid, n: 2 }), 60)
        assert.equal(await sessions.find(oldId), undefined)
        assert.equal((await sessions.find(id))?.['n'], 2)
        assert.equal((await sessions.findByUid(uid))?.['n'], 2)
      })
      const last = newId()
      await caller.run(async (adapter) => {
        const sessions = adapter('Session')
        await sessions.find(id)
        await sessions.upsert(id, sample('Session', id, { uid, n: 3 }), 60)
        await sessions.upsert(last, sample('Session', last, { uid, n: 4 }), 60)
        assert.equal(await sessions.find(id), undefined)
        assert.equal((await sessions.findByUid(uid))?.['n'], 4)
      })
      assert.equal(await caller.run((adapter) => adapter('Session').find(id)), undefined)
      assert.equal((await caller.run((adapter) => adapter('Session').find(last)))?.['n'], 4)
    })

    it('reads in one tick with one command, and the grants of what was found with another', async () => {
      const ids = Array.from({ length: 8 }, newId)
      const caller = inRequests(opened.store)
      await caller.run(async (adapter) => {
        for (const id of ids) await adapter('AccessToken').upsert(id, sample('AccessToken', id), 60)
      })
      const before = opened.store.reads.length
      const found = await caller.run((adapter) =>
        Promise.all([
          ...ids.map((id) => adapter('AccessToken').find(id)),
          adapter('Grant').find(newId()),
          adapter('DeviceCode').findByUserCode(newId()),
        ]),
      )
      assert.deepEqual(
        found.slice(0, 8).map((payload) => payload?.['jti']),
        ids,
      )
      assert.deepEqual(
        opened.store.reads.slice(before).map(({ kind }) => kind),
        ['readStreams', 'readStreams'],
      )
    })

    it('reads a thing once, and its grant once for all models', async () => {
      const [id, grantId] = [newId(), newId()]
      const caller = inRequests(opened.store)
      await caller.run((adapter) => adapter('AccessToken').upsert(id, sample('AccessToken', id, { grantId }), 60))
      const before = opened.store.reads.length
      await caller.run(async (adapter) => {
        await adapter('AccessToken').find(id)
        await adapter('AccessToken').find(id)
        await revokeAll(adapter, grantId)
      })
      assert.equal(opened.store.reads.length - before, 2)
    })

    it('that throws, or answers 500, has stored nothing unless it takes something away', async () => {
      for (const status of [500, undefined]) {
        const { op, middleware } = attached(opened.store)
        const request = async (id: string, calls: () => Promise<void>) => {
          const ctx = new FakeContext()
          await middleware(ctx, async () => {
            await calls()
            if (status === undefined) throw new Error('broken')
            ctx.status = status
          }).catch((error: Error) => assert.equal(error.message, 'broken'))
          return inRequests(opened.store).run((adapter) => adapter('AccessToken').find(id))
        }
        const [added, kept] = [newId(), newId()]
        const store = (id: string) => op.adapter('AccessToken').upsert(id, sample('AccessToken', id), 60)
        assert.equal(await request(added, () => store(added)), undefined)
        await store(kept)
        assert.equal(await request(kept, () => op.adapter('AccessToken').destroy(kept)), undefined)
      }
    })

    it('that answers 500 takes nothing away that it only removed on the way: the client may try again', async () => {
      const { op, middleware } = attached(opened.store)
      const id = newId()
      await op.adapter('Interaction').upsert(id, sample('Interaction', id), 60)
      const ctx = new FakeContext()
      await middleware(ctx, async () => {
        await op.adapter('Interaction').destroy(id)
        ctx.status = 500
      })
      assert.ok(await op.adapter('Interaction').find(id))
    })

    it('has done nothing when its commit fails', async () => {
      const [code, token] = [newId(), newId()]
      const caller = inRequests(opened.store)
      await caller.run((adapter) => adapter('AuthorizationCode').upsert(code, sample('AuthorizationCode', code), 60))
      const loser = caller.run(async (adapter) => {
        await adapter('AuthorizationCode').consume(code)
        await adapter('AccessToken').upsert(token, sample('AccessToken', token), 60)
        await alone(opened.store).run((other) => other('AuthorizationCode').consume(code))
      })
      await assert.rejects(loser, new Refused(400, 'invalid_grant'))
      assert.equal(await caller.run((adapter) => adapter('AccessToken').find(token)), undefined)
    })
  })

  describe('what trails behind a request', () => {
    const opened = openedStore(makeLog)

    it('is stored at once, in a commit of its own', async () => {
      const { op, middleware } = attached(opened.store)
      let trail = (): void => {}
      const trailing = new Promise<void>((resolve) => {
        trail = resolve
      })
      const id = newId()
      let late: Promise<void> | undefined
      await middleware(new FakeContext(), async () => {
        late = trailing.then(() => op.adapter('Grant').upsert(id, sample('Grant', id), 60))
      })
      const before = opened.store.commits.length
      trail()
      await late
      assert.deepEqual(opened.store.commits.slice(before).map(eventNames), [['Grant stored']])
    })

    it('is a commit of its own when it arrives while the request commits, and is not lost', async () => {
      const { op, middleware } = attached(opened.store)
      const [token, late] = [newId(), newId()]
      let committed = (): void => {}
      const afterCommit = new Promise<void>((resolve) => {
        committed = resolve
      })
      const grant = op.adapter('Grant')
      // Not awaited by the request, and looks before it stores: the look is answered when the request has committed.
      opened.store.beforeRead = ([stream]) => (stream?.startsWith('Grant:') ? afterCommit : undefined)
      let trailing: Promise<void> | undefined
      const before = opened.store.commits.length
      await middleware(new FakeContext(), async () => {
        trailing = grant.upsert(late, sample('Grant', late), 60)
        const client = sample('ClientCredentials', token)
        await op.adapter('ClientCredentials').upsert(token, client, 60)
      })
      committed()
      await trailing
      assert.deepEqual(opened.store.commits.slice(before).map(eventNames), [
        ['ClientCredentials stored'],
        ['Grant stored'],
      ])
    })

    it('is stored at once on routes that must not wait, and where the request is not the provider’s', async () => {
      for (const route of ['submit', 'abort', 'backchannel_authentication', undefined]) {
        const { op, middleware } = attached(opened.store)
        const ctx = Object.assign(new FakeContext(), { oidc: route === undefined ? undefined : { route } })
        await middleware(ctx, async () => {
          const before = opened.store.commits.length
          const id = newId()
          await op.adapter('Interaction').upsert(id, sample('Interaction', id), 60)
          assert.equal(opened.store.commits.length, before + 1)
        })
      }
    })
  })
}
