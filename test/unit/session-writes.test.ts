import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { AdapterFactory, Payload, RequestContext } from '../../lib/index.ts'
import { alone, attached, FakeContext } from '../contract/provider-adapter/adapter-under-test.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { eventNames, SteeredStore } from '../support/steered-store.ts'

const REPEATED = 307

describe('a request that writes a session', () => {
  let store: SteeredStore
  let elsewhere: SteeredStore
  let session: Payload
  let id: string
  let uid: string
  /** How often an append was tried, those that lost a race too. */
  let attempts: number

  beforeEach(async () => {
    const log = new MemoryEventStore()
    store = new SteeredStore(log)
    elsewhere = new SteeredStore(log)
    id = newId()
    uid = newId()
    session = sample('Session', id, { uid, authorizations: { a: { sid: 'a' }, b: { sid: 'b' } }, exp: 2_000_000_000 })
    await request(async (adapter) => adapter('Session').upsert(id, session, 60))
    attempts = 0
    store.beforeAppend = () => {
      attempts += 1
    }
  })
  afterEach(() => store.close())

  /** One request of the process that has this store. Returns its status: 404 where nothing replaced its answer. */
  async function request(
    calls: (adapter: AdapterFactory, ctx: FakeContext) => Promise<unknown>,
    oidc: Partial<NonNullable<RequestContext['oidc']>> = {},
    at: SteeredStore = store,
  ): Promise<number> {
    const ctx = Object.assign(new FakeContext(), { oidc: { route: 'authorization', ...oidc } })
    const { middleware, op } = attached(at)
    await middleware(ctx, () => calls(op.adapter, ctx))
    return ctx.status
  }

  /** The session as another process writes it meanwhile. */
  async function writeElsewhere(change: (stored: Payload) => Payload): Promise<void> {
    const status = await request(
      async (adapter) => {
        const stored = await adapter('Session').find(id)
        await adapter('Session').upsert(id, change(stored ?? {}), 60)
      },
      {},
      elsewhere,
    )
    assert.equal(status, 404)
  }

  async function endElsewhere(): Promise<void> {
    await request(
      async (adapter) => {
        await adapter('Session').find(id)
        await adapter('Session').destroy(id)
      },
      {},
      elsewhere,
    )
  }

  function found(): Promise<Payload | undefined> {
    return alone(store).run((adapter) => adapter('Session').findByUid(uid))
  }

  async function clients(): Promise<string[] | undefined> {
    const now = await found()
    return now && Object.keys(now['authorizations'] as Payload).sort()
  }

  const withLogin =
    (client: string) =>
    (stored: Payload): Payload => ({
      ...stored,
      authorizations: { ...(stored['authorizations'] as Payload), [client]: { sid: client } },
    })

  const withoutLogin =
    (client: string) =>
    (stored: Payload): Payload => ({
      ...stored,
      authorizations: Object.fromEntries(
        Object.entries(stored['authorizations'] as Payload).filter(([name]) => name !== client),
      ),
    })

  it('finds other sessions while it ends one', async () => {
    const other = sample('Session', newId())
    await request((adapter) => adapter('Session').upsert(String(other['jti']), other, 60))
    await request(async (adapter) => {
      await adapter('Session').find(id)
      await adapter('Session').destroy(id)
      assert.equal(await adapter('Session').find(id), undefined)
      assert.deepEqual(await adapter('Session').find(String(other['jti'])), other)
    })
    assert.equal(await found(), undefined)
  })

  it('has only rotated its id where it then answers 500: nothing is stored, and the browser keeps the old one', async () => {
    await request(async (adapter, ctx) => {
      await adapter('Session').find(id)
      await adapter('Session').destroy(id)
      await adapter('Session').upsert('rotated', { ...session, jti: 'rotated' }, 60)
      ctx.status = 500
    })
    assert.equal(attempts, 0)
    assert.deepEqual(await found(), session)
  })

  it('ends it though it then answers 500: who was logged out stays logged out', async () => {
    const status = await request(async (adapter, ctx) => {
      await adapter('Session').find(id)
      await adapter('Session').destroy(id)
      ctx.status = 500
    })
    assert.equal(status, 500)
    assert.equal(await found(), undefined)
  })

  it('ends it though its expiry was written meanwhile, and is repeated where somebody logged in at another RP', async () => {
    const ends = async (change: (stored: Payload) => Payload): Promise<number> =>
      request(async (adapter) => {
        await adapter('Session').find(id)
        await writeElsewhere(change)
        await adapter('Session').destroy(id)
      })
    assert.equal(await ends(withLogin('c')), REPEATED)
    assert.deepEqual(await clients(), ['a', 'b', 'c'])
    assert.equal(await ends((stored) => ({ ...stored, accountId: 'bob' })), REPEATED)
    assert.equal((await found())?.['accountId'], 'bob')
    assert.equal(await ends((stored) => ({ ...stored, exp: 2_000_000_100 })), 404)
    assert.equal(await found(), undefined)
  })

  it('is repeated where the login that it answers its client about has ended meanwhile', async () => {
    const saves = (client: string): Promise<number> =>
      request(
        async (adapter) => {
          const read = (await adapter('Session').find(id)) ?? {}
          await writeElsewhere(withoutLogin('a'))
          await adapter('Session').upsert(id, { ...read, exp: 2_000_000_100 }, 60)
        },
        { client: { clientId: client } },
      )
    assert.equal(await saves('a'), REPEATED)
    assert.equal((await found())?.['exp'], 2_000_000_000)
    await writeElsewhere(withLogin('a'))
    assert.equal(await saves('b'), 404)
    assert.deepEqual(await clients(), ['b'])
    assert.equal((await found())?.['exp'], 2_000_000_100)
  })

  it('is repeated where another one has begun a session with its uid', async () => {
    const [mine, theirs] = [newId(), newId()].map((jti) => sample('Session', jti, { uid: 'one uid' }))
    const status = await request(async (adapter) => {
      await adapter('Session').upsert(String(mine?.['jti']), mine ?? {}, 60)
      await request((other) => other('Session').upsert(String(theirs?.['jti']), theirs ?? {}, 60), {}, elsewhere)
    })
    assert.equal(status, REPEATED)
    assert.deepEqual(await alone(store).run((adapter) => adapter('Session').findByUid('one uid')), theirs)
  })

  it('loses no race against others of its process: each takes what the one before has left', async () => {
    const tabs = Array.from({ length: 20 }, (_, n) => n)
    let read = 0
    let allHaveRead = (): void => {}
    const begun = new Promise<void>((resolve) => {
      allHaveRead = resolve
    })
    await Promise.all(
      tabs.map((n) =>
        request(async (adapter) => {
          const stored = (await adapter('Session').find(id)) ?? {}
          read += 1
          if (read === tabs.length) allHaveRead()
          await begun
          await adapter('Session').upsert(id, { ...withLogin(`tab ${n}`)(stored), exp: 2_000_000_001 + n }, 60)
        }),
      ),
    )
    assert.equal(attempts, tabs.length)
    assert.equal((await clients())?.length, tabs.length + 2)
    assert.equal((await found())?.['exp'], 2_000_000_020)
  })

  describe('and submits the logout form', () => {
    const FORM = { route: 'end_session_confirm' }

    /** Takes the login of `a` out of the session that it has read, after what happens meanwhile. */
    function logsOutOfA(meanwhile: () => Promise<void>): Promise<number> {
      return request(async (adapter) => {
        const read = (await adapter('Session').find(id)) ?? {}
        await meanwhile()
        await adapter('Session').upsert(id, withoutLogin('a')(read), 60)
      }, FORM)
    }

    it('of one RP, does so on top of what another request has written', async () => {
      assert.equal(await logsOutOfA(() => writeElsewhere(withLogin('c'))), 404)
      assert.deepEqual(await clients(), ['b', 'c'])
    })

    it('of one RP, stores nothing where another request has done it, and sets no cookie beside the first one’s', async () => {
      const before = elsewhere.commits.length
      let answer: FakeContext | undefined
      const status = await request(async (adapter, ctx) => {
        answer = ctx
        const read = (await adapter('Session').find(id)) ?? {}
        await writeElsewhere(withoutLogin('a'))
        await adapter('Session').upsert(id, withoutLogin('a')(read), 60)
        ctx.set('set-cookie', ['_session=another'])
        ctx.set('location', 'https://rp.example.com/bye')
      }, FORM)
      assert.equal(status, 404)
      assert.deepEqual(answer?.response.headers, { location: 'https://rp.example.com/bye' })
      assert.equal(elsewhere.commits.length, before + 1)
      assert.deepEqual(store.commits.slice(1), [])
      assert.deepEqual(await clients(), ['b'])
    })

    it('of one RP, stores nothing where another request of its process has done it a moment ago', async () => {
      const release: (() => void)[] = []
      const both = [1, 2].map(() => logsOutOfA(() => new Promise((resolve) => release.push(resolve))))
      while (release.length < 2) await new Promise((resolve) => setImmediate(resolve))
      for (const go of release) go()
      assert.deepEqual(await Promise.all(both), [404, 404])
      assert.equal(attempts, 1)
      assert.deepEqual(await clients(), ['b'])
    })

    it('of one RP, is repeated where the session has ended', async () => {
      assert.equal(await logsOutOfA(endElsewhere), REPEATED)
      assert.equal(await found(), undefined)
    })

    it('of an RP that is not in it, still stores what else it has written', async () => {
      const status = await request(async (adapter) => {
        const read = (await adapter('Session').find(id)) ?? {}
        await writeElsewhere((stored) => ({ ...stored, exp: 2_000_000_100 }))
        await adapter('Session').upsert(id, { ...read, state: { secret: 'new' } }, 60)
      }, FORM)
      assert.equal(status, 404)
      assert.deepEqual(await found(), { ...session, state: { secret: 'new' }, exp: 2_000_000_100 })
    })

    it('of the whole session, stores nothing where it has ended', async () => {
      const status = await request(async (adapter) => {
        await adapter('Session').find(id)
        await endElsewhere()
        await adapter('Session').destroy(id)
      }, FORM)
      assert.equal(status, 404)
      assert.deepEqual(store.commits.slice(1), [])
    })
  })

  it('of an account tells application code that saves after it to read again, where it ended and where it rotated', async () => {
    const sessions = attached(elsewhere).op.adapter('Session')
    await sessions.find(id)
    await request(async (adapter) => {
      await adapter('Session').find(id)
      await adapter('Session').destroy(id)
      await adapter('Session').upsert('rotated', { ...session, jti: 'rotated' }, 60)
    })
    await assert.rejects(sessions.upsert(id, { ...session, exp: 2_000_000_100 }, 60), { code: 'SESSION_CHANGED' })
    await sessions.destroy(id)
    assert.equal(await found(), undefined)
    const ends = elsewhere.commits.map(eventNames)
    await sessions.destroy(id)
    await sessions.destroy('rotated')
    assert.deepEqual(elsewhere.commits.map(eventNames), ends)
  })
})
