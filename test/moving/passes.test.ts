import assert from 'node:assert/strict'
import type { AdapterPayload } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  detectLayout,
  type Layout,
  type MigrateOptions,
  type MigrationReport,
  migrate,
  verify,
} from '../../adapters/mongodb/moving/index.ts'
import { type EventSourced, type EventStore, eventSourced, silent } from '../../lib/index.ts'
import type { ModelName, Payload } from '../../lib/provider/models.ts'
import { signOutEvent } from '../../lib/provider/sign-outs.ts'
import { inRequests } from '../contract/provider-adapter/adapter-under-test.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'
import { startedOp } from '../support/started-op.ts'
import { FIFTEEN } from './fifteen-layouts.ts'
import { FormerAdapter } from './former-adapter.ts'

const [{ style } = { style: undefined as never }] = FIFTEEN
const ISSUER = 'https://op.example.com'
const MODELS: readonly ModelName[] = ['Grant', 'Session', 'AccessToken', 'RefreshToken', 'AuthorizationCode', 'Client']

describe('passes over a source that goes on', () => {
  let database: OpenedDatabase
  let layout: Layout
  let store: EventStore
  let op: EventSourced

  const former = (model: string): FormerAdapter => new FormerAdapter(database.db, model, style)
  const pass = (more: Partial<MigrateOptions> = {}): Promise<MigrationReport> =>
    migrate({ from: database.db, op, layout, ...more })

  async function put(model: ModelName, more: object = {}, id = newId()): Promise<string> {
    const payload = { ...sample(model, id), ...more } as AdapterPayload
    await former(model).upsert(
      id,
      payload,
      typeof payload.exp === 'number' ? payload.exp - Date.now() / 1000 : undefined,
    )
    return id
  }

  const found = (model: string, id: string) => op.adapter(model).find(id)

  beforeEach(async () => {
    database = await openDatabase('passes')
    store = new MemoryEventStore()
    op = await startedOp(store)
    for (const model of MODELS) await put(model)
    await former('RefreshToken').consume(await put('RefreshToken'))
    layout = await detectLayout(database.db)
  })

  afterEach(async () => {
    await op.stop()
    await store.close()
    await database.drop()
  })

  it('takes with the next pass what is new, what has changed and what was used since', async () => {
    const [grantId, token] = [await put('Grant', { openid: { scope: 'openid' } }), await put('RefreshToken')]
    await pass()
    await put('Grant', { openid: { scope: 'openid email' } }, grantId)
    await former('RefreshToken').consume(token)
    const later = await put('AccessToken', { grantId })
    const { models } = await pass()
    assert.deepEqual(
      ['Grant', 'RefreshToken', 'AccessToken', 'Session'].map((model) => models[model]?.stored),
      [1, 1, 1, 0],
    )
    assert.deepEqual((await found('Grant', grantId))?.['openid'], { scope: 'openid email' })
    assert.equal(typeof (await found('RefreshToken', token))?.['consumed'], 'number')
    assert.ok(await found('AccessToken', later))
    assert.ok((await verify({ from: database.db, op, layout, sampleEvery: 1 })).agrees)
  })

  it('follows a session whose cookie value has rotated', async () => {
    const [uid, id, next] = [newId(), newId(), newId()]
    await put('Session', { uid }, id)
    await pass()
    await former('Session').destroy(id)
    await put('Session', { uid, exp: Math.floor(Date.now() / 1000) + 60 }, next) // a lifetime may shrink
    await pass({ stopped: true })
    assert.equal(await found('Session', id), undefined)
    assert.equal((await found('Session', next))?.['jti'], next)
    assert.equal((await op.adapter('Session').findByUid(uid))?.['jti'], next)
  })

  it('of a session that is there twice keeps the one that expires last, in whichever order they come, in each pass', async () => {
    const [uid, now] = [newId(), Math.floor(Date.now() / 1000)]
    const pairs = [
      [`a-${newId()}`, now + 2_000],
      [`b-${newId()}`, now + 1_000],
    ] as const
    for (const [id, exp] of pairs) await put('Session', { uid, exp }, id)
    for (let passes = 0; passes < 3; passes++) {
      const { models, anomalies } = await pass({ stopped: true })
      assert.deepEqual((await op.adapter('Session').findByUid(uid))?.['jti'], pairs[0][0])
      assert.equal(models['Session']?.ended, 0)
      assert.equal(anomalies.find(({ code }) => code === 'duplicate_uid')?.count, 1)
    }
  })

  it('ends what is gone, once the former OP has stopped', async () => {
    const grantId = await put('Grant')
    const ids = {
      Session: await put('Session'),
      RefreshToken: await put('RefreshToken', { grantId }),
      Client: await put('Client'),
    }
    await pass()
    for (const [model, id] of Object.entries(ids)) await former(model).destroy(id)
    await pass()
    for (const [model, id] of Object.entries(ids)) assert.ok(await found(model, id), `${model} ended too early`)
    const { models } = await pass({ stopped: true })
    for (const [model, id] of Object.entries(ids)) {
      assert.equal(await found(model, id), undefined)
      assert.equal(models[model]?.ended, 1)
    }
    assert.ok(await found('Grant', grantId))
    assert.equal((await pass({ stopped: true })).models['Session']?.ended, 0)
  })

  it('ends nothing of a model that the layout does not name', async () => {
    const id = await put('Session')
    await pass()
    await former('Session').destroy(id)
    const collections = layout.collections.filter(({ model }) => model !== 'Session')
    await pass({ stopped: true, layout: { collections } })
    assert.ok(await found('Session', id))
    assert.equal((await pass({ stopped: true })).models['Session']?.ended, 1)
  })

  it('ends nothing once the OP on the log is in use, and says what is gone', async () => {
    const id = await put('Session')
    await pass()
    await inRequests(store).run((adapter) => adapter('AccessToken').upsert(newId(), sample('AccessToken', newId()), 60))
    await former('Session').destroy(id)
    const { models, anomalies } = await pass({ stopped: true })
    assert.equal(models['Session']?.ended, 0)
    assert.deepEqual(anomalies.find(({ code }) => code === 'vanished')?.count, 1)
    assert.ok(await found('Session', id))
  })

  it('never touches what the OP on the log has written itself', async () => {
    const grantId = await put('Grant')
    const under = { grantId }
    const ids = {
      used: await put('RefreshToken', under),
      rotated: await put('Session', { uid: newId() }),
      ended: await put('Session', { uid: newId() }),
      saved: await put('Grant'),
      deleted: await put('Client'),
    }
    await pass()
    const renewed = newId()
    const requests = inRequests(store)
    await requests.run((adapter) => adapter('RefreshToken').consume(ids.used))
    await requests.run(async (adapter) => {
      const session = await adapter('Session').find(ids.rotated)
      await adapter('Session').destroy(ids.rotated)
      await adapter('Session').upsert(renewed, { ...session, jti: renewed }, 60)
    })
    await requests.run(async (adapter) => {
      await adapter('Session').find(ids.ended)
      await adapter('Session').destroy(ids.ended)
    })
    const own = await requests.run(async (adapter) => {
      const grant = { ...(await adapter('Grant').find(ids.saved)), openid: { scope: 'openid phone' } }
      await adapter('Grant').upsert(ids.saved, grant, 60)
      return grant
    })
    await requests.run((adapter) => adapter('Client').destroy(ids.deleted))
    const consumed = await found('RefreshToken', ids.used)
    // The former OP runs on for a while, and changes all of them.
    const later = Math.floor(Date.now() / 1000) + 9_000
    await put('RefreshToken', { ...under, rotations: 2 }, ids.used)
    for (const id of [ids.rotated, ids.ended]) {
      const session = await former('Session').find(id)
      await put('Session', { ...session, exp: later }, id)
    }
    await put('Grant', { openid: { scope: 'openid address' } }, ids.saved)
    await put('Client', { client_name: 'again' }, ids.deleted)
    const end = await store.end()
    for (const stopped of [false, true]) {
      const { models } = await pass({ stopped })
      assert.deepEqual(
        ['RefreshToken', 'Session', 'Grant', 'Client'].map((model) => models[model]?.kept),
        [1, 2, 1, 1],
      )
    }
    assert.equal(await store.end(), end)
    assert.deepEqual(await found('RefreshToken', ids.used), consumed)
    assert.equal(await found('Session', ids.rotated), undefined)
    assert.ok(await found('Session', renewed))
    assert.equal(await found('Session', ids.ended), undefined)
    assert.deepEqual(await found('Grant', ids.saved), own)
    assert.equal(await found('Client', ids.deleted), undefined)
  })

  it('takes nothing that was issued elsewhere under a grant that was revoked here', async () => {
    const grantId = await put('Grant')
    const before = await put('AccessToken', { grantId })
    await pass()
    await inRequests(store).run((adapter) => adapter('AccessToken').revokeByGrantId(grantId))
    const after = await put('AccessToken', { grantId })
    const { models } = await pass()
    assert.equal(models['AccessToken']?.kept, 2)
    for (const id of [before, after]) assert.equal(await found('AccessToken', id), undefined)
  })

  describe('after an account was signed out here', () => {
    const [before, after] = [-3_600, 3_600].map((s) => Math.floor(Date.now() / 1_000) + s) as [number, number]
    const signOut = (reason: 'admin' | 'password_changed', accountId?: string) =>
      store.append({
        events: [signOutEvent(store, ISSUER, accountId, { reason }, reason !== 'admin')],
        meta: { instance: ISSUER },
      })
    const of = (accountId: string, iat: number) => ({ accountId, iat, loginTs: iat, uid: newId() })
    const login = (accountId: string, iat: number) => ({ iat, result: { login: { accountId } } })

    async function takenOf(ids: Readonly<Record<string, readonly [ModelName, string]>>): Promise<string[]> {
      const taken = Object.entries(ids).map(async ([what, [model, id]]) => {
        const state = await found(model, id)
        return state && (model !== 'Interaction' || state['result']) ? [what] : []
      })
      return (await Promise.all(taken)).flat()
    }

    it('leaves none of what began elsewhere before that alive, in no pass', async () => {
      await signOut('password_changed', 'ann')
      await signOut('admin', 'bob')
      for (let others = 0; others < 20; others++) await signOut('admin', 'ann')
      const ids = {
        session: ['Session', await put('Session', of('ann', before))],
        grant: ['Grant', await put('Grant', of('ann', before))],
        'login that was typed in': ['Interaction', await put('Interaction', login('ann', before))],
        'session of a later login': ['Session', await put('Session', { ...of('ann', before), loginTs: after })],
        'later session': ['Session', await put('Session', of('ann', after))],
        'later grant': ['Grant', await put('Grant', of('ann', after))],
        'login that was typed in later': ['Interaction', await put('Interaction', login('ann', after))],
        'session of bob': ['Session', await put('Session', of('bob', before))],
        'grant of bob, which outlives a logout': ['Grant', await put('Grant', of('bob', before))],
        'session of carol': ['Session', await put('Session', of('carol', before))],
      } as const
      layout = await detectLayout(database.db)
      const first = await pass()
      assert.equal(first.models['Session']?.kept, 2)
      assert.equal(first.models['Grant']?.kept, 1)
      const expected = Object.keys(ids).filter((name) => /later|outlives|carol/.test(name))
      assert.deepEqual(await takenOf(ids), expected)
      const end = await store.end()
      await pass({ stopped: true })
      assert.equal(await store.end(), end, 'a second pass writes something')
      assert.deepEqual(await takenOf(ids), expected)
      assert.ok((await verify({ from: database.db, op, layout, sampleEvery: 1 })).agrees)
    })

    it('leaves what was taken before it to whoever ordered it: a session may have been excepted', async () => {
      const ids = {
        session: ['Session', await put('Session', of('ann', before))],
        grant: ['Grant', await put('Grant', of('ann', before))],
      } as const
      await pass()
      await signOut('password_changed', 'ann')
      await pass()
      assert.deepEqual(await takenOf(ids), Object.keys(ids))
    })

    it('asks for it with one read, however often the account was signed out', async () => {
      const reads = async (): Promise<number> => {
        const id = await put('Grant', of('ann', before))
        let count = 0
        const readStreams = store.readStreams.bind(store)
        store.readStreams = (...args) => {
          count += 1
          return readStreams(...args)
        }
        await op.mover.take('Grant', id, (await former('Grant').find(id)) as Payload)
        store.readStreams = readStreams
        return count
      }
      await signOut('admin', 'ann')
      const afterOne = await reads()
      for (let others = 0; others < 100; others++) await signOut('admin', 'ann')
      assert.equal(await reads(), afterOne)
    })

    for (const model of ['Session', 'Grant', 'Interaction'] as const) {
      it(`lets no ${model} live that is taken at the same moment`, async () => {
        const id = await put(model, model === 'Interaction' ? login('ann', before) : of('ann', before))
        layout = await detectLayout(database.db)
        const append = store.append.bind(store)
        let signedOut = false
        store.append = async (commit) => {
          if (!signedOut && commit.events.some(({ stream }) => store.keys.streams(model, id).includes(stream))) {
            signedOut = true
            await signOut('password_changed', 'ann')
          }
          return append(commit)
        }
        await pass()
        assert.ok(signedOut)
        assert.deepEqual(await takenOf({ [model]: [model, id] }), [])
      })
    }
  })

  for (const model of ['Grant', 'Session'] as const) {
    it(`lets a ${model} win that the OP stores at the same moment`, async () => {
      const id = await put(model, { uid: newId() })
      await pass()
      const changed = { ...(await former(model).find(id)), acr: 'changed there' }
      await put(model, changed, id)
      const append = store.append.bind(store)
      let own: Payload = {}
      let isFirst = true
      store.append = async (commit) => {
        if (isFirst) {
          isFirst = false
          await inRequests(store).run(async (adapter) => {
            own = { ...(await adapter(model).find(id)), amr: ['changed here'] }
            await adapter(model).upsert(id, own, 60)
          })
        }
        return append(commit)
      }
      await pass()
      assert.deepEqual(await found(model, id), own)
      const { models } = await pass()
      assert.equal(models[model]?.kept, 1)
      assert.deepEqual(await found(model, id), own)
    })
  }

  it('goes on where a pass was cut short, and stores nothing twice', async () => {
    for (let more = 0; more < 60; more++) await put('AccessToken')
    const abort = new AbortController()
    const reason = new Error('enough')
    const first = pass({
      signal: abort.signal,
      pageSize: 10,
      inFlight: 4,
      onProgress: ({ read }) => {
        if (read >= 20) abort.abort(reason)
      },
    })
    await assert.rejects(first, reason)
    const end = await store.end()
    assert.ok(end >= 10 && end < 60)
    const { models } = await pass()
    const all = Object.values(models)
    assert.equal(
      all.reduce((sum, { same }) => sum + same, 0),
      end,
    )
    assert.equal(
      await store.end(),
      all.reduce((sum, { read }) => sum + read, 0),
    )
    assert.ok((await verify({ from: database.db, op, layout, sampleEvery: 1 })).agrees)
  })

  it('can be cut short in the middle of a page', async () => {
    for (let more = 0; more < 60; more++) await put('AccessToken')
    const abort = new AbortController()
    const append = store.append.bind(store)
    let appended = 0
    store.append = (commit) => {
      appended += 1
      if (appended === 20) abort.abort()
      return append(commit)
    }
    await assert.rejects(pass({ signal: abort.signal, inFlight: 4 }), { name: 'AbortError' })
    assert.ok(appended < 30, `${appended} were written`)
  })

  it('is found out by the verification when something is missing or differs', async () => {
    await pass()
    const missing = await put('AccessToken')
    const { agrees, differences, models } = await verify({ from: database.db, op, layout })
    assert.equal(agrees, false)
    assert.equal(models['AccessToken']?.different, 1)
    assert.equal(differences.length, 1)
    assert.ok(!differences[0]?.includes(missing))
  })

  it('says which collection of the layout is not there, and which option is wrong', async () => {
    const collections = [...layout.collections, { collection: 'nowhere', model: 'Grant', id: '_id' }]
    await assert.rejects(pass({ layout: { collections } }), { code: 'LAYOUT_UNKNOWN', message: /nowhere/ })
    const wrong: object[] = [
      { layout: { collections: [] } },
      { layout: { collections: [{ collection: 'x', model: 'lower', id: '_id' }] } },
      { layout: { collections: [{ collection: 'x', model: 'Grant', id: '_id', typo: 1 }] } },
      { op: undefined },
      { op: {} },
      { from: {} },
      { codes: 'some' },
      { pageSize: 0 },
      { inFlight: 1.5 },
      { dryRun: 'yes' },
      { unknown: true },
    ]
    for (const options of wrong) await assert.rejects(pass(options as never), { code: 'OPTION_INVALID' })
  })

  it('cannot begin before the OP has started', async () => {
    const idle = eventSourced(store, { logger: silent })
    await assert.rejects(migrate({ from: database.db, op: idle, layout }), { code: 'PROVIDER_UNFIT' })
  })
})
