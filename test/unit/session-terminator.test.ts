import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  AlreadyClaimedError,
  ConcurrencyError,
  type EventSourced,
  eventSourced,
  type Host,
  type Payload,
  SessionChangedError,
  type SessionTerminator,
  StoreUnavailableError,
} from '../../lib/index.ts'
import type { Commit } from '../../lib/log/commit.ts'
import { attached, FakeContext } from '../contract/provider-adapter/adapter-under-test.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { quickClock } from '../support/quick-clock.ts'
import { SteeredStore } from '../support/steered-store.ts'

const CAUSE = { reason: 'account_disabled', actor: 'operator:kim' }
const FACT = { stream: 'facts', type: 'grant.taken', data: {} }

describe('an end that no request is about', () => {
  let store: SteeredStore
  let elsewhere: SteeredStore
  let op: EventSourced
  let terminator: SessionTerminator
  let session: Payload
  let uid: string

  beforeEach(async () => {
    const log = new MemoryEventStore()
    store = new SteeredStore(log)
    elsewhere = new SteeredStore(log)
    let host: Host | undefined
    op = eventSourced(store, {
      clock: quickClock(1_000),
      plugins: [
        {
          name: 'taker',
          start: async (given) => {
            host = given
          },
          stop: async () => {},
        },
      ],
    })
    await op.start({
      issuer: 'https://op.example.com',
      use: () => {},
      Client: { find: async () => undefined, adapter: op.adapter('Client') },
      Session: class {},
    })
    assert.ok(host)
    terminator = host.terminator
    session = sample('Session', newId(), {
      authorizations: {
        web: { sid: 'sid of web', grantId: 'of web' },
        mobile: { sid: 'sid of mobile', grantId: 'of mobile', persistsLogout: true },
        twin: { sid: 'sid of twin', grantId: 'of web' },
        begun: { grantId: 'of begun' },
        bare: { sid: 'sid of bare' },
      },
    })
    uid = String(session['uid'])
    await save(session)
    for (const id of ['of web', 'of mobile', 'of begun'])
      await op.adapter('Grant').upsert(id, { jti: id, accountId: 'alice' }, 60)
  })
  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  async function save(payload: Payload): Promise<void> {
    await op.adapter('Session').upsert(String(payload['jti']), payload, 3_600)
  }

  /** As the provider does it after an interaction, here in another process: another id, in one commit. */
  async function rotate(): Promise<void> {
    const former = String(session['jti'])
    session = { ...session, jti: newId() }
    await attached(elsewhere).middleware(new FakeContext(), async () => {
      const sessions = attached(elsewhere).op.adapter('Session')
      await sessions.find(former)
      await sessions.destroy(former)
      await sessions.upsert(String(session['jti']), session, 3_600)
    })
  }

  async function grantsLeft(): Promise<string[]> {
    const left: string[] = []
    for (const id of ['of web', 'of mobile', 'of begun']) if (await op.adapter('Grant').find(id)) left.push(id)
    return left
  }

  async function facts(): Promise<Commit[]> {
    return store.read(FACT.stream)
  }

  for (const [grants, revoked, left] of [
    ['none', [], ['of web', 'of mobile', 'of begun']],
    ['sessionBound', ['of begun', 'of web'], ['of mobile']],
    ['all', ['of begun', 'of mobile', 'of web'], []],
  ] as const) {
    it(`of a session revokes of its grants: ${grants}, each once, and is previewed as it happens`, async () => {
      const preview = await terminator.preview(uid, { cause: CAUSE, grants })
      const result = await terminator.end(uid, { cause: CAUSE, grants })
      for (const plan of [preview, result]) {
        assert.deepEqual([...(plan?.grantIds ?? [])].sort(), revoked)
        assert.equal(plan?.session.uid, uid)
        assert.equal(plan.session.payload['accountId'], 'alice')
      }
      assert.equal(typeof result?.appended.position, 'number')
      assert.deepEqual(await grantsLeft(), left)
      assert.equal(await op.adapter('Session').findByUid(uid), undefined)
    })
  }

  it('of one login leaves the session and the other logins alone', async () => {
    const result = await terminator.end(uid, { cause: CAUSE, grants: 'all', clientId: 'mobile' })
    assert.deepEqual(result?.grantIds, ['of mobile'])
    const { authorizations } = (await op.adapter('Session').findByUid(uid)) ?? {}
    assert.deepEqual(Object.keys(authorizations as Payload).sort(), ['bare', 'begun', 'twin', 'web'])
    assert.deepEqual(await grantsLeft(), ['of web', 'of begun'])
  })

  for (const [what, clientId] of [
    ['of a client that is not in the session', 'stranger'],
    ['of a login that was only started', 'begun'],
  ] as const) {
    it(`${what} ends nothing`, async () => {
      const options = { cause: CAUSE, grants: 'all', clientId } as const
      const commits = store.commits.length
      assert.equal(await terminator.preview(uid, options), undefined)
      assert.equal(await terminator.end(uid, options), undefined)
      assert.equal(store.commits.length, commits)
    })
  }

  it('is previewed with the grants that are still there', async () => {
    await op.adapter('Grant').destroy('of web')
    assert.deepEqual((await terminator.preview(uid, { cause: CAUSE, grants: 'all' }))?.grantIds, [
      'of mobile',
      'of begun',
    ])
  })

  it('of a session without any login revokes nothing', async () => {
    for (const authorizations of [undefined, null]) {
      const bare = sample('Session', newId(), { authorizations })
      await save(bare)
      assert.deepEqual(
        (await terminator.end(String(bare['uid']), { cause: CAUSE, grants: 'all' }))?.grantIds,
        [],
        String(authorizations),
      )
    }
  })

  it('happens once, and is nothing for a session that never was, or that the caller does not mean', async () => {
    const options = { cause: CAUSE, grants: 'all' } as const
    const others = { ...options, onlyIf: () => false }
    assert.equal(await terminator.preview(uid, others), undefined)
    assert.equal(await terminator.end(uid, others), undefined)
    assert.ok('live' in ((await terminator.status(uid)) ?? {}))
    assert.ok(await terminator.end(uid, options))
    assert.equal(await terminator.preview(uid, options), undefined)
    assert.equal(await terminator.end(uid, options), undefined)
    assert.equal(await terminator.preview('never', options), undefined)
    assert.equal(await terminator.end('never', options), undefined)
  })

  it('is a place in the log, which the status of the session names; before it there is its state', async () => {
    assert.equal(await terminator.status('never'), undefined)
    const live = await terminator.status(uid)
    assert.ok(live && 'live' in live)
    assert.equal(live.live.payload['jti'], session['jti'])
    const result = await terminator.end(uid, { cause: CAUSE, grants: 'none' })
    const after = await terminator.status(uid)
    assert.ok(after && 'ended' in after)
    assert.equal(after.ended.position, result?.appended.position)
  })

  it('succeeds though another process rotates the session’s id at the first three attempts', async () => {
    let attempts = 0
    store.beforeAppend = async () => {
      attempts += 1
      if (attempts <= 3) await rotate()
    }
    assert.ok(await terminator.end(uid, { cause: CAUSE, grants: 'none' }))
    assert.equal(attempts, 4)
    assert.equal(await op.adapter('Session').find(String(session['jti'])), undefined)
  })

  it('is given up where each of its attempts loses a race', async () => {
    let attempts = 0
    store.beforeAppend = ({ claims = [] }) => {
      attempts += 1
      for (const claim of claims) if (claim.kind === 'follows') throw new ConcurrencyError(claim.stream)
    }
    await assert.rejects(terminator.end(uid, { cause: CAUSE, grants: 'none' }), SessionChangedError)
    assert.equal(attempts, 64 * 32)
  })

  it('is not tried again where the store fails', async () => {
    let attempts = 0
    store.beforeAppend = () => {
      attempts += 1
      throw new StoreUnavailableError('no server')
    }
    await assert.rejects(terminator.end(uid, { cause: CAUSE, grants: 'none' }), StoreUnavailableError)
    assert.equal(attempts, 1)
  })

  it('of a grant is stored once of two at the same moment, with its facts', async () => {
    const revoked = await Promise.all([
      terminator.revoke('of web', CAUSE, [FACT]),
      terminator.revoke('of web', CAUSE, [FACT]),
    ])
    const [commit, ...more] = await facts()
    assert.deepEqual(more, [])
    assert.equal(commit?.meta.actor, CAUSE.actor)
    assert.deepEqual(
      revoked.flatMap((appended) => (appended ? [appended.position] : [])),
      [commit?.position],
    )
    assert.deepEqual(await grantsLeft(), ['of mobile', 'of begun'])
  })

  it('of a grant is nothing where there is none any more, and happens again where it was given anew', async () => {
    assert.equal(await terminator.revoke('never', CAUSE, [FACT]), undefined)
    assert.ok(await terminator.revoke('of web', CAUSE, [FACT]))
    assert.equal(await terminator.revoke('of web', CAUSE, [FACT]), undefined)
    await op.adapter('Grant').upsert('of web', { jti: 'of web', accountId: 'alice' }, 60)
    assert.ok(await terminator.revoke('of web', CAUSE, [FACT]))
    assert.equal((await facts()).length, 2)
  })

  it('of a grant says so where the store fails, or a fact of it is somebody else’s', async () => {
    for (const error of [new StoreUnavailableError('no server'), new AlreadyClaimedError('somebody else’s')]) {
      store.beforeAppend = () => {
        throw error
      }
      await assert.rejects(terminator.revoke('of web', CAUSE, [FACT]), error)
    }
  })
})
