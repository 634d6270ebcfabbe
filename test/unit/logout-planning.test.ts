import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { AccountKeys, type Commit, KeyRing, StoreUnavailableError } from '../../lib/index.ts'
import { ParkedCommits } from '../../plugins/back-channel-logout/delivery/parked-commits.ts'
import { Planning } from '../../plugins/back-channel-logout/delivery/planning.ts'
import { policyOf } from '../../plugins/back-channel-logout/delivery/policy-options.ts'
import { toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { KeptLog } from '../support/kept-log.ts'
import { nobodyToTell, OP } from '../support/planning.ts'
import { registered, sealedEvent, terminated } from '../support/session-log.ts'

describe('a commit that cannot be planned', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let log: KeptLog
  let planning: Planning
  /** How often the dispatcher was woken. */
  let woken: number
  /** What planning the ends does to a commit at this position. */
  let planEndings: (commits: readonly Commit[]) => Promise<void>

  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryEventStore({ clock })
    log = new KeptLog()
    woken = 0
    planEndings = async () => {}
    planning = new Planning({
      store,
      clock,
      logger: log,
      issuer: OP,
      clients: nobodyToTell,
      accountKeys: new AccountKeys(store, clock),
      work: store.work('deliveries'),
      policy: policyOf({}),
      planEndings: (commits) => planEndings(commits),
      onPlanned: () => {
        woken += 1
      },
    })
  })

  afterEach(async () => {
    planning.stop()
    await store.close()
  })

  it('is none of whose session a login is seen late: each RP has its delivery, whoever planned before', async () => {
    for (let n = 0; n < 70; n++) await store.append({ events: [sealedEvent(store, 'a', registered('rp', `${n}`))] })
    const { position: late } = await store.append({ events: [sealedEvent(store, 'a', registered('an rp', 'late'))] })
    await store.append({ events: [toEvent('a', terminated(['0']))] })
    const { read, readStreams } = store
    const visible = (commits: Commit[]): Commit[] => commits.filter(({ position }) => position !== late)
    store.read = async (...given) => visible(await read.apply(store, given))
    store.readStreams = async (...given) => visible(await readStreams.apply(store, given))
    await planning.planAtOnce(await store.readAll({ after: late, limit: 1 }))
    Object.assign(store, { read, readStreams })
    const { position: end } = await store.append({ events: [toEvent('a', terminated(['late', '1']))] })
    await planning.planAtOnce(await store.readAll({ after: end - 1, limit: 1 }))
    await planning.handle(await store.readAll({ after: 0, limit: 1_000 }))
    const told = await Promise.all([0, 1].map((part) => store.work('deliveries').get(`${end}/0.${part}`)))
    assert.deepEqual(
      told.map((work) => work?.body['sid']),
      ['late', '1'],
    )
  })

  /** The session of this uid ends; its commit. */
  async function ended(uid: string): Promise<Commit> {
    const events = [sealedEvent(store, uid, registered('rp', `sid of ${uid}`)), toEvent(uid, terminated())]
    const { position } = await store.append({ events })
    return (await store.readAll({ after: position - 1, limit: 1 }))[0] as Commit
  }

  /** A newer version has written to the session. */
  async function foreign(uid: string): Promise<void> {
    const event = { stream: `session_logout:${uid}`, type: 'session_logout.back_channel.sung', data: {} }
    await store.append({ events: [event] })
  }

  async function parked(): Promise<[position: number, why: string][]> {
    const found: [number, string][] = []
    for await (const { position, failureReason } of planning.parked.list()) found.push([position, failureReason])
    return found
  }

  const openDeliveries = async (): Promise<string[]> => {
    const ids: string[] = []
    for (let position = 1; position <= (await store.end()); position++)
      if (await store.work('deliveries').get(`${position}/1.0`)) ids.push(`${position}/1.0`)
    return ids
  }

  it('is parked with its reason, without a pause where waiting cannot help, and the others go on', async () => {
    const [before, odd, after] = [await ended('a'), await ended('b'), await ended('c')]
    await foreign('b')
    await planning.handle([before, odd, after])
    assert.deepEqual(await openDeliveries(), [`${before.position}/1.0`, `${after.position}/1.0`])
    const [[position, failureReason] = [], ...more] = await parked()
    assert.deepEqual([position, more], [odd.position, []])
    assert.match(String(failureReason), /back_channel\.sung/)
    assert.equal(clock.now(), new FakeClock().now())
    assert.deepEqual(
      log.of(/is parked/).map(({ level, fields }) => [level, fields['event'], fields['position']]),
      [['error', 'commit_parked', odd.position]],
    )
  })

  it('keeps the deliveries back that it is for, and none of the same commit: each other RP is told', async () => {
    const key = { id: 'lost', secret: Buffer.alloc(32, 1) }
    const lost = new KeyRing({ sealing: [key], hashing: [key] })
    const { position } = await store.append({
      events: [
        sealedEvent(store, 'a', registered('rp', 'sid')),
        sealedEvent({ keys: lost }, 'a', registered('rp-of-lost-key', 'sid of a lost key')),
        sealedEvent(store, 'a', registered('other', 'other sid')),
        toEvent('a', terminated()),
      ],
    })
    const handled = planning.handle(await store.readAll({ after: position - 1, limit: 1 }))
    await clock.advance(1_000)
    await handled
    const open = await store.work('deliveries').open({ limit: 10 })
    assert.deepEqual(open.map(({ body }) => body['clientId']).sort(), ['other', 'rp'])
    assert.equal(woken > 0, true)
    const [[at, why] = [], ...more] = await parked()
    assert.deepEqual([at, more], [position, []])
    assert.match(String(why), /lost/)
  })

  it('is none of those that are: their deliveries are logged, and wake the dispatcher', async () => {
    await planning.handle([await ended('a'), await ended('b')])
    assert.equal(woken, 1)
    assert.deepEqual(
      log.of(/a session ended/).map(({ fields }) => [fields['event'], fields['session'], fields['rps']]),
      [
        ['session_ended', 'a', ['rp']],
        ['session_ended', 'b', ['rp']],
      ],
    )
    const { position } = await store.append({ events: [sealedEvent(store, 'c', registered('rp', 'sid'))] })
    await planning.handle(await store.readAll({ after: position - 1, limit: 1 }))
    assert.equal(woken, 1)
  })

  it('is none that is logged twice, where the process that ends a session is not the planner', async () => {
    const commit = await ended('a')
    await planning.planAtOnce([commit])
    assert.deepEqual(log.lines, [], 'the planner logs it')
    await planning.handle([commit])
    assert.equal(log.of(/a session ended/).length, 1)
  })

  it('is none that fills the log: of ten thousand RPs some are named', async () => {
    const logins = Array.from({ length: 10_000 }, (_, n) => sealedEvent(store, 'a', registered(`rp-${n}`, `sid-${n}`)))
    const { position } = await store.append({ events: [...logins, toEvent('a', terminated())] })
    await planning.handle(await store.readAll({ after: position - 1, limit: 1 }))
    const [line] = log.of(/a session ended/)
    assert.match(String(line?.message), /telling rp-0, .* and 9980 more$/)
    assert.equal(line?.fields['rps_in_all'], 10_000)
    assert.ok(JSON.stringify(line).length < 2_000)
  })

  it('is not parked where the process stops before it was tried enough: it comes again', async () => {
    const commit = await ended('a')
    planEndings = async () => {
      throw new Error('not yet')
    }
    const handled = planning.handle([commit])
    await clock.advance(0)
    planning.stop()
    await assert.rejects(handled, /not yet/)
    assert.deepEqual(await parked(), [])
  })

  it('is tried three times before it is parked, with pauses', async () => {
    const commit = await ended('a')
    let tried = 0
    planEndings = async () => {
      tried += 1
      throw new Error('not yet')
    }
    const handled = planning.handle([commit])
    for (const [ms, tries] of [
      [0, 2],
      [99, 2],
      [1, 3],
      [399, 3],
    ] as const) {
      await clock.advance(ms)
      assert.equal(tried, tries)
      assert.deepEqual(await parked(), [])
    }
    await clock.advance(1)
    await handled
    assert.equal(tried, 4, 'once with its batch, three times alone')
    assert.deepEqual(await parked(), [[commit.position, 'not yet']])
  })

  it('is planned after all where that helps', async () => {
    const commit = await ended('a')
    let tried = 0
    planEndings = async () => {
      if (++tried < 3) throw new Error('not yet')
    }
    const handled = planning.handle([commit])
    await clock.advance(100)
    await handled
    assert.deepEqual(await openDeliveries(), [`${commit.position}/1.0`])
    assert.deepEqual(await parked(), [])
  })

  it('is none while the store is away: the batch comes again', async () => {
    const commit = await ended('a')
    planEndings = async () => {
      throw new StoreUnavailableError('away')
    }
    await assert.rejects(planning.handle([commit]), { code: 'STORE_UNAVAILABLE' })
    let first = true
    planEndings = async () => {
      if (first) {
        first = false
        throw new Error('odd')
      }
      throw new StoreUnavailableError('away')
    }
    await assert.rejects(planning.handle([commit]), { code: 'STORE_UNAVAILABLE' })
    assert.deepEqual(await parked(), [])
  })

  it('keeps of its reason what a store can keep', async () => {
    const commit = await ended('a')
    planEndings = async () => {
      throw new Error(`${'x'.repeat(1_023)}\ud83d\ude00`)
    }
    const handled = planning.handle([commit])
    await clock.advance(1_000)
    await handled
    assert.equal((await parked())[0]?.[1], `${'x'.repeat(1_023)}\ufffd`)
  })

  describe('planned again', () => {
    let commits: Commit[]

    beforeEach(async () => {
      commits = [await ended('a'), await ended('b')]
      planEndings = async ([commit]) => {
        throw new Error(`not ${commit?.position}`)
      }
      const handled = planning.handle(commits)
      await clock.advance(1_000)
      await clock.advance(1_000)
      await handled
      assert.equal((await parked()).length, 2)
    })

    it('is parked no more', async () => {
      planEndings = async () => {}
      assert.deepEqual(await planning.parked.retry({ actor: 'ann' }), { planned: 2, parked: 0 })
      assert.deepEqual(await parked(), [])
      assert.equal((await openDeliveries()).length, 2)
      assert.deepEqual(await planning.parked.retry({ actor: 'ann' }), { planned: 0, parked: 0 })
      const [last] = (await store.readAll({ after: 0, limit: 100 })).slice(-1)
      assert.equal(last?.meta.actor, 'ann')
    })

    it('may be one of them alone', async () => {
      planEndings = async () => {}
      const [first, second] = commits
      assert.deepEqual(await planning.parked.retry({ actor: 'ann', position: Number(first?.position) }), {
        planned: 1,
        parked: 0,
      })
      assert.deepEqual(
        (await parked()).map(([position]) => position),
        [second?.position],
      )
    })

    it('stays parked where it still cannot be planned, and says why now', async () => {
      const end = await store.end()
      assert.deepEqual(await planning.parked.retry({ actor: 'ann' }), { planned: 0, parked: 2 })
      assert.equal(await store.end(), end, 'nothing new, nothing recorded')
      planEndings = async () => {
        throw new Error('still not')
      }
      assert.deepEqual(await planning.parked.retry({ actor: 'ann' }), { planned: 0, parked: 2 })
      assert.deepEqual(
        (await parked()).map(([, failureReason]) => failureReason),
        ['still not', 'still not'],
      )
    })

    it('is a matter of the store where that is away', async () => {
      planEndings = async () => {
        throw new StoreUnavailableError('away')
      }
      await assert.rejects(planning.parked.retry({ actor: 'ann' }), { code: 'STORE_UNAVAILABLE' })
      assert.equal((await parked()).length, 2)
    })

    it('is tried no more once that is to stop', async () => {
      planEndings = async () => {}
      const stopping = new AbortController()
      stopping.abort()
      assert.deepEqual(await planning.parked.retry({ actor: 'ann' }, stopping.signal), { planned: 0, parked: 0 })
      assert.equal((await parked()).length, 2)
    })

    it('is known by the log, where the index of what is parked was dropped', async () => {
      planEndings = async () => {}
      const [first, second] = commits
      await planning.parked.retry({ actor: 'ann', position: Number(first?.position) })
      const index = store.index('parked_commits')
      for (const key of ['parked', 'complete']) await index.remove(await index.list({ key, limit: 10 }))
      const anew = new ParkedCommits({ store, issuer: OP, plan: async () => {} })
      assert.equal(await anew.count(10), 1)
      const found: unknown[] = []
      for await (const one of anew.list()) found.push(one)
      assert.deepEqual(found, [
        { position: second?.position, at: clock.now() - 1_000, failureReason: `not ${second?.position}` },
      ])
    })

    it('are listed as many as are wanted, those parked last first', async () => {
      const [, second] = commits
      const found: number[] = []
      for await (const { position } of planning.parked.list({ limit: 1 })) found.push(position)
      assert.deepEqual(found, [second?.position])
    })
  })
})
