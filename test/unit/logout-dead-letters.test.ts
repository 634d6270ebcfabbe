import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Commit, NewWork } from '../../lib/index.ts'
import type { DataKey } from '../../lib/secrets/key-ring.ts'
import { DeadLetters } from '../../plugins/back-channel-logout/dead-letters/dead-letters.ts'
import { type DeadLetterCriteria, deadLettersOf } from '../../plugins/back-channel-logout/dead-letters/listing.ts'
import { type ReplayTarget, replay } from '../../plugins/back-channel-logout/dead-letters/replay.ts'
import { fromBody } from '../../plugins/back-channel-logout/delivery/delivery.ts'
import { type Receipt, receiptOf } from '../../plugins/back-channel-logout/receipts/receipt.ts'
import type { ReadingOptions } from '../../plugins/back-channel-logout/recording/criteria.ts'
import { readLogout } from '../../plugins/back-channel-logout/recording/histories.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { all, ISSUER, LogoutLog } from '../support/logout-log.ts'
import { workOf } from '../support/planning.ts'

const OTHER = 'https://other.example.com'
const ops = { actor: 'ops@example.com' }

describe('dead letters', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let log: LogoutLog
  let letters: DeadLetters

  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryEventStore({ clock })
    log = new LogoutLog(store)
    letters = new DeadLetters({ store, issuer: ISSUER })
  })

  afterEach(() => store.close())

  /** A session whose delivery to this client is a dead letter. */
  async function dead(uid: string, clientId = 'shop', key?: DataKey): Promise<string> {
    const [delivery = ''] = await log.ended(uid, 'alice', [clientId], key)
    await log.abandoned(uid, delivery, clientId)
    return delivery
  }

  async function listed(options: DeadLetterCriteria & ReadingOptions = {}, size = 2): Promise<string[]> {
    const found = await all(deadLettersOf({ store, issuer: ISSUER }, options, size))
    return found.map(({ sessionUid }) => sessionUid)
  }

  async function receipt(uid: string): Promise<Receipt> {
    return receiptOf(await readLogout(store, uid))
  }

  async function replays(): Promise<Commit[]> {
    const commits = await store.readAll({ after: 0, limit: 1_000 })
    return commits.filter(({ events }) => events.some(({ type }) => type.endsWith('.replayed')))
  }

  /** What the planner makes of all that was replayed. */
  async function planned(): Promise<readonly NewWork[]> {
    return workOf(store, await replays(), clock.now())
  }

  describe('that are listed', () => {
    it('say whom, why, when and how often', async () => {
      const [shop = '', mail = ''] = await log.ended('one', 'alice', ['shop', 'mail'])
      const endedAt = clock.now()
      await clock.advance(1_000)
      await log.rejected('one', shop, 'shop')
      await clock.advance(1_000)
      await log.abandoned('one', mail, 'mail')
      const common = { sessionUid: 'one', reason: 'rp_initiated', endedAt, replays: 0 }
      assert.deepEqual(await all(letters.list({})), [
        {
          ...common,
          delivery: shop,
          clientId: 'shop',
          sid: 'one shop',
          at: endedAt + 1_000,
          state: 'rejected',
          failureReason: 'refused',
          attempts: 3,
          status: 400,
          answer: 'no',
        },
        {
          ...common,
          delivery: mail,
          clientId: 'mail',
          sid: 'one mail',
          at: endedAt + 2_000,
          state: 'abandoned',
          failureReason: 'budget_spent',
          attempts: 11,
        },
      ])
    })

    it('are those of the issuer; of a client; of a time on; so many; the newest first', async () => {
      await dead('one')
      await clock.advance(86_400_000)
      const since = clock.now()
      await dead('two', 'mail')
      await dead('three')
      const other = new LogoutLog(store, OTHER)
      const [delivery = ''] = await other.ended('elsewhere', 'alice', ['shop'])
      await other.abandoned('elsewhere', delivery, 'shop')
      assert.deepEqual(await listed(), ['one', 'two', 'three'])
      assert.deepEqual(await listed({ client: 'shop' }), ['one', 'three'])
      assert.deepEqual(await listed({ since }), ['two', 'three'])
      assert.deepEqual(await listed({ since: new Date(since), client: 'shop' }), ['three'])
      assert.deepEqual(await listed({ since: since + 1 }), [])
      assert.deepEqual(await listed({ limit: 2 }), ['one', 'two'])
      assert.deepEqual(await listed({ order: 'newest', limit: 1 }), ['three'])
    })

    it('are no longer there once they are replayed, and again when they die again, once', async () => {
      const first = await dead('one')
      await dead('two')
      await replay({ store, issuer: ISSUER }, { delivery: first, sessionUid: 'one' }, ops)
      assert.deepEqual(await listed(), ['two'])
      await log.rejected('one', first, 'shop', { round: 1 })
      assert.deepEqual(await listed({}, 1), ['two', 'one'])
      const [, again] = await all(letters.list({}))
      assert.deepEqual([again?.state, again?.replays], ['rejected', 1])
    })

    it('are looked for only by what makes sense', () => {
      for (const [option, value] of [
        ['client', ''],
        ['client', 7],
        ['since', 'monday'],
        ['limit', 0],
        ['account', 'alice'],
      ] as const)
        assert.throws(() => letters.list({ [option]: value } as object), { code: 'OPTION_INVALID', option })
    })

    it('end when they are aborted', async () => {
      for (const uid of ['one', 'two', 'three']) await dead(uid)
      const stop = new AbortController()
      const seen: string[] = []
      for await (const { sessionUid } of letters.list({ signal: stop.signal })) {
        seen.push(sessionUid)
        stop.abort()
      }
      assert.deepEqual(seen, ['one'])
    })
  })

  describe('that are replayed', () => {
    it('are pending again: one', async () => {
      const delivery = await dead('one')
      await dead('two')
      assert.deepEqual(await letters.replay({ delivery, sessionUid: 'one' }, ops), { replayed: 1 })
      const [entry] = (await receipt('one')).ends[0]?.relyingParties ?? []
      const { failures = [], ...rest } = entry ?? {}
      assert.deepEqual(rest, {
        clientId: 'shop',
        sid: 'one shop',
        delivery,
        state: 'pending',
        attempts: 0,
        replays: 1,
      })
      assert.deepEqual(
        failures.map(({ attempt }) => attempt),
        [11],
      )
      assert.equal((await receipt('one')).settled, false)
      assert.equal((await receipt('two')).settled, true)
    })

    it('are pending again: those of a client, those since a time, all', async () => {
      await dead('one')
      await clock.advance(86_400_000)
      const since = clock.now()
      await dead('two')
      await dead('three', 'mail')
      const targets: [ReplayTarget, number][] = [
        [{ client: 'shop', since }, 1],
        [{ client: 'shop' }, 1],
        [{ since }, 1],
        [{ since: 0 }, 0],
      ]
      for (const [target, replayed] of targets) {
        const counted = await letters.replay(target, { ...ops, dryRun: true })
        assert.deepEqual(await letters.replay(target, ops), { replayed })
        assert.deepEqual(counted, { replayed })
      }
      assert.deepEqual(await listed(), [])
    })

    it('are replayed over many pages, and those that die meanwhile are left for the next time', async () => {
      for (let i = 0; i < 7; i++) await dead(`session ${i}`)
      const append = store.append.bind(store)
      let died = false
      store.append = async (commit) => {
        const appended = await append(commit)
        if (!died) {
          died = true
          await dead('meanwhile')
        }
        return appended
      }
      assert.deepEqual(await replay({ store, issuer: ISSUER }, { since: 0 }, ops, 2), { replayed: 7 })
      assert.deepEqual(await listed(), ['meanwhile'])
    })

    it('are left as they are from where it is aborted on, and are the next call’s', async () => {
      for (let i = 0; i < 5; i++) await dead(`session ${i}`)
      const stop = new AbortController()
      const append = store.append.bind(store)
      store.append = (commit) => {
        stop.abort()
        return append(commit)
      }
      const stopped = { ...ops, signal: stop.signal }
      assert.deepEqual(await letters.replay({ since: 0 }, stopped), { replayed: 1 })
      assert.deepEqual(await letters.replay({ since: 0 }, { ...stopped, dryRun: true }), { replayed: 0 })
      const [letter] = await all(letters.list({}))
      const one = { delivery: String(letter?.delivery), sessionUid: String(letter?.sessionUid) }
      assert.deepEqual(await letters.replay(one, stopped), { replayed: 0 })
      assert.deepEqual(await letters.replay({ since: 0 }, ops), { replayed: 4 })
      await assert.rejects(letters.replay({ since: 0 }, { ...ops, signal: 'now' } as never), { option: 'signal' })
    })

    it('say who had it done, and in which round', async () => {
      const delivery = await dead('one')
      await letters.replay({ client: 'shop' }, ops)
      const [commit] = await replays()
      assert.deepEqual(commit?.meta, { instance: ISSUER, actor: ops.actor })
      assert.deepEqual(commit.events[0]?.data, { delivery, client_id: 'shop', round: 1, actor: ops.actor })
    })

    it('are not those of accounts that were forgotten: they cannot be sent, and are counted', async () => {
      const key = store.keys.makeDataKey()
      const record = { id: key.key.id, sealed: key.sealed, account: 'sealed', usedAt: clock.now() }
      await store.accountKeys.obtain(['bob'], record)
      const refused = await dead('one', 'shop', key.key)
      const [unopened = ''] = await log.ended('two', 'carol', ['shop'])
      await log.abandoned('two', unopened, 'shop', { failure_reason: 'account_forgotten' })
      await dead('three')
      assert.deepEqual(await letters.replay({ since: 0 }, { ...ops, dryRun: true }), { replayed: 2, forgotten: 1 })
      await store.accountKeys.destroy([key.key.id], clock.now())
      for (const dryRun of [true, false])
        assert.deepEqual(await letters.replay({ since: 0 }, { ...ops, dryRun }), { replayed: 1, forgotten: 2 })
      for (const [sessionUid, delivery] of [
        ['one', refused],
        ['two', unopened],
      ] as const)
        assert.deepEqual(await letters.replay({ delivery, sessionUid }, ops), { replayed: 0, forgotten: 1 })
      assert.equal((await replays()).length, 1)
      assert.deepEqual(await listed(), ['one', 'two'])
    })

    it('are left as they are by a dry run', async () => {
      const delivery = await dead('one')
      const before = await store.end()
      const dryRun = { ...ops, dryRun: true }
      assert.deepEqual(await letters.replay({ delivery, sessionUid: 'one' }, dryRun), { replayed: 1 })
      assert.deepEqual(await letters.replay({ since: 0 }, dryRun), { replayed: 1 })
      assert.equal(await store.end(), before)
    })

    it('are replayed once by operators who do so at the same moment', async () => {
      const delivery = await dead('one')
      await dead('two')
      const target = { delivery, sessionUid: 'one' }
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => letters.replay(target, ops)))
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'NOT_A_DEAD_LETTER')
      }
      const counts = await Promise.all(Array.from({ length: 8 }, () => letters.replay({ client: 'shop' }, ops)))
      assert.equal(
        counts.reduce((sum, { replayed }) => sum + replayed, 0),
        1,
      )
      assert.equal((await replays()).length, 2)
    })

    it('become work of their own, as if they were new, which is planned once however often', async () => {
      const delivery = await dead('one')
      await letters.replay({ client: 'shop' }, ops)
      const [work, ...more] = await planned()
      assert.deepEqual(more, [])
      assert.equal(work?.id, `${delivery}~1`)
      assert.equal(work.lane, `${ISSUER} shop`)
      assert.equal(work.dueAt, clock.now())
      const { attempts, badRequests, round, sessionUid } = fromBody(work.body)
      assert.deepEqual(
        { attempts, badRequests, round, sessionUid },
        { attempts: 0, badRequests: 0, round: 1, sessionUid: 'one' },
      )
      const [again, ...others] = await planned()
      assert.deepEqual(others, [])
      const { sealedSubject } = fromBody(work.body) // sealed anew each time
      assert.deepEqual({ ...again, body: { ...again?.body, sealedSubject } }, work)
    })

    it('are planned in the round that was the last to begin, and not when that is settled', async () => {
      const delivery = await dead('one')
      await letters.replay({ client: 'shop' }, ops)
      await log.abandoned('one', delivery, 'shop', { round: 1 })
      assert.deepEqual(await planned(), [])
      await letters.replay({ client: 'shop' }, ops)
      assert.deepEqual(
        (await planned()).map(({ id }) => id),
        [`${delivery}~2`],
      )
      await log.confirmed('one', delivery, { round: 2 })
      assert.deepEqual(await planned(), [])
    })

    it('take nothing with them that the same end owes to others', async () => {
      const [shop = ''] = await log.ended('one', 'alice', ['shop', 'mail'])
      await log.abandoned('one', shop, 'shop')
      await letters.replay({ client: 'shop' }, ops)
      assert.deepEqual(
        (await planned()).map(({ id }) => id),
        [`${shop}~1`],
      )
    })
  })

  describe('a replay', () => {
    const refused: readonly [string, (delivery: string) => Promise<unknown>][] = [
      ['pending', async () => undefined],
      ['confirmed', (delivery) => log.confirmed('one', delivery)],
    ]
    for (const [state, settle] of refused) {
      it(`is refused where the delivery is ${state}`, async () => {
        const [delivery = ''] = await log.ended('one', 'alice', ['shop'])
        await settle(delivery)
        const refusal = { code: 'NOT_A_DEAD_LETTER', delivery, state }
        await assert.rejects(letters.replay({ delivery, sessionUid: 'one' }, ops), refusal)
        await assert.rejects(letters.replay({ delivery, sessionUid: 'one' }, { ...ops, dryRun: true }), refusal)
      })
    }

    it('is refused where it is replayed already', async () => {
      const delivery = await dead('one')
      await letters.replay({ delivery, sessionUid: 'one' }, ops)
      await assert.rejects(letters.replay({ delivery, sessionUid: 'one' }, ops), { state: 'pending' })
    })

    it('is refused where the delivery is not known, of another session, or of another issuer', async () => {
      const delivery = await dead('one')
      const unknown = { code: 'NOT_A_DEAD_LETTER', state: 'unknown' }
      await assert.rejects(letters.replay({ delivery: '9/9.9', sessionUid: 'one' }, ops), unknown)
      await assert.rejects(letters.replay({ delivery, sessionUid: 'two' }, ops), unknown)
      const elsewhere = new DeadLetters({ store, issuer: OTHER })
      await assert.rejects(elsewhere.replay({ delivery, sessionUid: 'one' }, ops), unknown)
      assert.deepEqual(await elsewhere.replay({ since: 0 }, ops), { replayed: 0 })
      assert.deepEqual(await listed(), ['one'])
    })

    it('says what could not be recorded, and does the rest when it is called again', async () => {
      for (const uid of ['one', 'two', 'three']) await dead(uid)
      const append = store.append.bind(store)
      let calls = 0
      store.append = (commit) => {
        calls += 1
        return calls === 2 ? Promise.reject(new Error('disk full')) : append(commit)
      }
      await assert.rejects(letters.replay({ client: 'shop' }, ops), { message: 'disk full' })
      assert.deepEqual(await letters.replay({ client: 'shop' }, ops), { replayed: 1 })
      assert.equal((await replays()).length, 3)
    })

    const wrong: readonly [string, unknown, unknown][] = [
      ['since', {}, ops],
      ['actor', { since: 0 }, {}],
      ['actor', { since: 0 }, { actor: ' ' }],
      ['actor', { since: 0 }, { actor: 7 }],
      ['dryRun', { since: 0 }, { ...ops, dryRun: 'yes' }],
      ['force', { since: 0 }, { ...ops, force: true }],
      ['client', { client: '' }, ops],
      ['since', { since: 'monday' }, ops],
      ['limit', { since: 0, limit: 3 }, ops],
      ['sessionUid', { delivery: '1/0.0' }, ops],
      ['delivery', { delivery: 1, sessionUid: 'one' }, ops],
      ['client', { delivery: '1/0.0', sessionUid: 'one', client: 'shop' }, ops],
    ]
    for (const [option, target, options] of wrong) {
      it(`is checked before anything is read: ${JSON.stringify(target)}, ${JSON.stringify(options)}`, async () => {
        const attempt = letters.replay(target as ReplayTarget, options as typeof ops)
        await assert.rejects(attempt, { code: 'OPTION_INVALID', option })
      })
    }

    it('leaves, in any order of deaths and replays, exactly those listed that are dead by their receipts', async () => {
      const uid = fc.nat(3).map((n) => `session ${n}`)
      const act = fc.record({ kind: fc.constantFrom('die', 'replay', 'confirm'), uid })
      await fc.assert(
        fc.asyncProperty(fc.array(act, { maxLength: 25 }), fc.integer({ min: 1, max: 3 }), async (acts, size) => {
          const own = new MemoryEventStore()
          const writing = new LogoutLog(own)
          const deliveries = new Map<string, string>()
          for (let n = 0; n < 4; n++) {
            const [delivery = ''] = await writing.ended(`session ${n}`, 'alice', ['shop'])
            deliveries.set(`session ${n}`, delivery)
          }
          const parts = { store: own, issuer: ISSUER }
          for (const { kind, uid: of } of acts) {
            const delivery = deliveries.get(of) ?? ''
            const state = (await readLogout(own, of)).deliveries.get(delivery)
            const round = state?.round === undefined ? {} : { round: state.round }
            if (kind === 'replay') await replay(parts, { delivery, sessionUid: of }, ops).catch(() => undefined)
            else if (state?.kind !== 'pending')
              continue // claims let a round be settled once
            else if (kind === 'die') await writing.abandoned(of, delivery, 'shop', round)
            else await writing.confirmed(of, delivery, round)
          }
          const found = (await all(deadLettersOf(parts, {}, size))).map(({ sessionUid }) => sessionUid)
          const states = await Promise.all(
            [...deliveries.keys()].map(async (of) => receiptOf(await readLogout(own, of))),
          )
          const dying = states.filter(({ ends }) => ends[0]?.relyingParties[0]?.state === 'abandoned')
          assert.deepEqual(found.toSorted(), dying.map(({ sessionUid }) => sessionUid).toSorted())
          await own.close()
        }),
        { numRuns: 60 },
      )
    })
  })
})
