import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { NewCommit } from '../../lib/index.ts'
import { type SessionLogoutEvent, toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { BusiestClients } from '../../plugins/back-channel-logout/statistics/busiest-clients.ts'
import { Histogram } from '../../plugins/back-channel-logout/statistics/histogram.ts'
import { LogStatistics } from '../../plugins/back-channel-logout/statistics/log-statistics.ts'
import { FakeClock } from '../support/fake-clock.ts'

const ISSUER = 'https://op.example.com'
const HOUR = 3_600_000

/** A fact of a logout, of one client. */
type Fact = 'ended' | 'sent' | 'failed' | 'rejected' | 'abandoned' | 'superseded' | 'stranger' | 'other'

describe('the statistics of the last day', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let reads: number

  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryEventStore({ clock })
    reads = 0
    const { readAll } = store
    store.readAll = (options) => {
      reads += 1
      return readAll.call(store, options)
    }
  })
  afterEach(() => store.close())

  const statistics = (waiting: (from: number, to: number) => number = () => 0): LogStatistics =>
    new LogStatistics({ store, clock, issuer: ISSUER, waiting })

  const append = (event: SessionLogoutEvent, instance = ISSUER): Promise<{ readonly position: number }> =>
    store.append({ events: [toEvent('uid', event)], meta: { instance } })

  const end = (): Promise<{ readonly position: number }> =>
    append({ type: 'session_logout.terminated', reason: 'admin', triggered_at_origin: ISSUER, scope: 'session' })

  const sent = (position: number, clientId: string, tookMs = 40, instance = ISSUER) =>
    append(
      {
        type: 'session_logout.back_channel.sent',
        delivery: `${position}/0.0`,
        client_id: clientId,
        oidc_session_id: 'sid',
        attempt: 1,
        status: 200,
        took_ms: tookMs,
      },
      instance,
    )

  async function happen(fact: Fact, clientId: string, ended: number): Promise<void> {
    const of = { delivery: `${ended}/0.0`, client_id: clientId }
    const prefix = 'session_logout.back_channel'
    switch (fact) {
      case 'ended':
        await end()
        return
      case 'sent':
        await sent(ended, clientId)
        return
      case 'failed':
        await append({ type: `${prefix}.attempt_failed`, ...of, attempt: 1, next_attempt_at: 0 })
        return
      case 'rejected':
        await append({ type: `${prefix}.rejected`, ...of, attempt: 1, status: 410, answer: '' })
        return
      case 'abandoned':
        await append({ type: `${prefix}.abandoned`, ...of, attempts: 1, failure_reason: 'expired' })
        return
      case 'superseded':
        await append({ type: `${prefix}.superseded`, ...of, attempts: 0, superseded_by: 'newer_login' })
        return
      case 'stranger':
        await sent(ended, clientId, 40, 'https://another.example.com')
        return
      case 'other':
        await store.append({ events: [{ stream: 'Grant:x', type: 'stored', data: {} }] } satisfies NewCommit)
    }
  }

  it('agree with a recount, however often it is looked on the way', async () => {
    const facts: readonly Fact[] = [
      'ended',
      'sent',
      'failed',
      'rejected',
      'abandoned',
      'superseded',
      'stranger',
      'other',
    ]
    const step = fc.record({
      fact: fc.constantFrom(...facts),
      client: fc.constantFrom('shop', 'mail'),
      afterMs: fc.integer({ min: 0, max: 4 * HOUR }),
      looks: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        clock = new FakeClock()
        store = new MemoryEventStore({ clock })
        const counted = statistics()
        const { position } = await end()
        const happened: { readonly fact: Fact; readonly client: string; readonly at: number }[] = [
          { fact: 'ended', client: '', at: clock.now() },
        ]
        for (const { fact, client, afterMs, looks } of steps) {
          await clock.advance(afterMs)
          await happen(fact, client, position)
          happened.push({ fact, client, at: clock.now() })
          if (looks) await counted.look()
        }
        await clock.advance(2_000)
        const { since, total, clients, isWhole } = await counted.look()
        assert.ok(isWhole)
        assert.ok(since > clock.now() - 24 * HOUR && since <= clock.now() - 23.75 * HOUR + 1)
        const within = happened.filter(({ at }) => at >= since)
        const count = (fact: Fact, client?: string): number =>
          within.filter((one) => one.fact === fact && (client === undefined || one.client === client)).length
        const expected = (client?: string) => ({
          logouts: client === undefined ? count('ended') : 0,
          confirmed: count('sent', client),
          attemptsFailed: count('failed', client),
          rejected: count('rejected', client),
          abandoned: count('abandoned', client),
          superseded: count('superseded', client),
        })
        const plain = ({ timeToLogoutMs: _, latencyMs: __, ...counts }: typeof total) => counts
        assert.deepEqual(plain(total), expected())
        for (const { clientId, ...figures } of clients) assert.deepEqual(plain(figures), expected(clientId))
        assert.equal(total.timeToLogoutMs?.count ?? 0, count('sent'))
        await store.close()
      }),
      { numRuns: 60 },
    )
  })

  it('read what is new alone, and nothing while nobody looks', async () => {
    for (let n = 0; n < 3_500; n++) await happen('other', '', 0)
    const { position } = await end()
    const counted = statistics()
    await counted.look()
    const first = reads
    assert.ok(first <= 25, `${first} reads`) // 13 for where the day begins, one for each thousand commits
    await clock.advance(HOUR)
    await sent(position, 'shop')
    assert.equal(reads, first)
    const { total } = await counted.look()
    assert.equal(total.confirmed, 1)
    assert.equal(reads, first + 1)
    await Promise.all([counted.look(), counted.look()])
    assert.equal(reads, first + 1) // told again, within a second
  })

  it('say since when, where the log holds more than is read', async () => {
    await end()
    await clock.advance(HOUR)
    for (let n = 0; n < 20_000; n++) await happen('other', '', 0)
    const counted = await statistics().look()
    assert.equal(counted.isWhole, false)
    assert.equal(counted.since, clock.now())
    assert.equal(counted.total.logouts, 0)
    assert.ok(reads <= 45, `${reads} reads`)
  })

  it('begin anew where more came meanwhile than is read for a look', async () => {
    const counted = statistics()
    await end()
    assert.equal((await counted.look()).total.logouts, 1)
    await clock.advance(HOUR)
    for (let n = 0; n < 20_001; n++) await happen('other', '', 0)
    const later = await counted.look()
    assert.deepEqual([later.total.logouts, later.isWhole], [0, false])
  })

  it('tell the time to logout of an end that was recorded before what is read', async () => {
    const { position } = await end()
    await clock.advance(40 * HOUR)
    await sent(position, 'shop')
    const { total } = await statistics().look()
    assert.equal(total.logouts, 0)
    const p95 = total.timeToLogoutMs?.p95 ?? 0
    assert.ok(p95 >= 40 * HOUR && p95 <= 44.1 * HOUR, String(p95))
  })

  it('leave out of the time to logout what nobody could send', async () => {
    const { position } = await end()
    await clock.advance(10_000)
    await sent(position, 'shop')
    const { total } = await statistics((from, to) => (to - from) / 2).look()
    assert.ok((total.timeToLogoutMs?.p50 ?? 0) < 5_600)
    assert.ok((total.timeToLogoutMs?.p50 ?? 0) >= 5_000)
  })

  it('wait for a commit that may still come below others, and not for ever', async () => {
    await happen('other', '', 0)
    const { position } = await end()
    const { readAll } = store
    store.readAll = async (options) => (await readAll.call(store, options)).filter((commit) => commit.position !== 1)
    const counted = statistics()
    assert.equal(position, 2)
    assert.equal((await counted.look()).total.logouts, 0)
    await clock.advance(60_001)
    assert.equal((await counted.look()).total.logouts, 1)
  })

  it('cost as much to tell again, whatever happened in how many quarters of an hour', async () => {
    const { position } = await end()
    const counted = statistics()
    for (let quarter = 0; quarter < 30; quarter++) {
      for (let n = 0; n < 20; n++) await sent(position, `client-${n}`)
      await clock.advance(900_000)
    }
    await counted.look()
    await clock.advance(1_001)
    const { percentiles } = Histogram.prototype
    const methods = Object.getOwnPropertyNames(Histogram.prototype) as (keyof Histogram)[]
    const before = methods.map((name) => [name, Histogram.prototype[name]] as const)
    let calls = 0
    for (const [name, method] of before.filter(([name]) => String(name) !== 'constructor'))
      Histogram.prototype[name] = function (this: Histogram, ...args: never[]): never {
        calls += 1
        return (method as (...args: never[]) => never).apply(this, args)
      }
    const { clients, quarters } = await counted.look()
    for (const [name, method] of before) Histogram.prototype[name] = method as never
    assert.equal(Histogram.prototype.percentiles, percentiles)
    assert.deepEqual([clients.length, quarters.length], [20, 30])
    assert.ok(calls <= 2 * (1 + 20 + 30), `${calls}`)
  })

  it('forget what is older than a day, and clients of which nothing else is known', async () => {
    const { position } = await end()
    const counted = statistics()
    await sent(position, 'early')
    assert.equal((await counted.look()).total.confirmed, 1)
    await clock.advance(20 * HOUR)
    await sent(position, 'late')
    assert.deepEqual((await counted.look()).clients.map(({ clientId }) => clientId).toSorted(), ['early', 'late'])
    await clock.advance(5 * HOUR)
    const { total, clients } = await counted.look()
    assert.deepEqual([total.logouts, total.confirmed, total.latencyMs?.count], [0, 1, 1])
    assert.deepEqual(
      clients.map(({ clientId }) => clientId),
      ['late'],
    )
  })

  it('keep the figures of 500 clients, and count the others in the total', async () => {
    const { position } = await end()
    for (let n = 0; n < 510; n++) await sent(position, `client-${n}`)
    const { clients, moreClients, total } = await statistics().look()
    assert.deepEqual([clients.length, moreClients, total.confirmed], [500, 10, 510])
  })

  it('keep those of an RP that is told often, though strangers have filled all places before it', async () => {
    const { position } = await end()
    const counted = statistics()
    for (let n = 0; n < 600; n++) await sent(position, `stranger-${n}`)
    for (let n = 0; n < 10; n++) await sent(position, 'shop')
    const { clients, moreClients, total } = await counted.look()
    assert.deepEqual([clients.length, moreClients, total.confirmed], [500, 101, 610])
    // It had to be told twice as often as one of them, and is counted since then.
    assert.deepEqual([clients[0]?.clientId, clients[0]?.confirmed], ['shop', 8])
    await clock.advance(25 * HOUR)
    const later = await counted.look()
    assert.deepEqual([later.clients.length, later.moreClients, later.total.confirmed], [0, 0, 0])
  })
})

describe('whose figures are kept', () => {
  it('are the clients of the configuration, and they take no place', () => {
    const clients = new BusiestClients(2, 10, ['mine'])
    for (const name of ['a', 'b']) for (let n = 0; n < 100; n++) clients.count(name, 0)
    assert.deepEqual(clients.count('mine', 0), { isKept: true })
    assert.equal(clients.others, 0)
    clients.forgetBefore(900, new Set())
    assert.deepEqual(clients.count('mine', 900), { isKept: true })
  })

  it('goes by deliveries, however often one is tried', () => {
    const clients = new BusiestClients(1, 10)
    for (let n = 0; n < 5; n++) clients.count('shop', 0)
    for (let n = 0; n < 1_000; n++) assert.equal(clients.count('dead', 0, 0).isKept, false)
    assert.equal(clients.count('dead', 0).isKept, false)
    assert.equal(clients.count('shop', 0).isKept, true)
    const failing = new BusiestClients(1, 10)
    assert.equal(failing.count('dead', 0, 0).isKept, true, 'there is room')
    assert.deepEqual(failing.count('shop', 0), { isKept: true, instead: 'dead' })
  })

  it('is never more than there are places, and those to whom most happens', () => {
    const names = fc.nat({ max: 40 }).map(String)
    fc.assert(
      fc.property(fc.array(names, { maxLength: 400 }), (facts) => {
        const clients = new BusiestClients(5, 10)
        const kept = new Set<string>()
        for (const name of [...facts, ...Array.from({ length: 1_000 }, () => 'busy')]) {
          const { isKept, instead } = clients.count(name, 0)
          if (instead !== undefined) assert.ok(kept.delete(instead))
          if (isKept) kept.add(name)
          else assert.ok(!kept.has(name) && kept.size === 5)
          assert.ok(kept.size <= 5 && clients.others <= 10)
        }
        assert.ok(kept.has('busy'))
      }),
    )
  })

  it('does not change in turn between two to whom the same happens', () => {
    const clients = new BusiestClients(1, 10)
    let changes = 0
    for (let n = 0; n < 1_000; n++)
      for (const name of ['a', 'b']) if (clients.count(name, 0).instead !== undefined) changes += 1
    assert.ok(changes <= 1, `${changes}`)
  })

  it('finds who is often told beside more strangers than are known by name', () => {
    const clients = new BusiestClients(5, 10)
    for (let n = 0; n < 5; n++) for (let times = 0; times < 3; times++) clients.count(`first-${n}`, 0)
    let kept = false
    for (let n = 0; n < 100; n++) {
      for (let other = 0; other < 9; other++) clients.count(`stranger-${n}-${other}`, 0)
      kept = clients.count('shop', 0).isKept || kept
    }
    assert.equal(kept, true)
  })

  it('forgets others to whom nothing has happened since', () => {
    const clients = new BusiestClients(1, 10)
    clients.count('kept', 0)
    clients.count('early', 0)
    clients.count('late', 900)
    clients.forgetBefore(900, new Set(['kept']))
    assert.equal(clients.others, 1)
    clients.forgetBefore(900, new Set())
    assert.deepEqual(clients.count('next', 900), { isKept: true })
  })
})

describe('a histogram', () => {
  it('tells percentiles that are at most 10 % too high, and never too low', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4_000_000_000 }), { minLength: 1 }), (values) => {
        const histogram = new Histogram()
        for (const value of values) histogram.record(value)
        const sorted = values.toSorted((a, b) => a - b)
        const told = histogram.percentiles()
        for (const [share, found] of [
          [0.5, told?.p50],
          [0.95, told?.p95],
        ] as const) {
          const exact = Number(sorted[Math.ceil(share * sorted.length) - 1])
          assert.ok(Number(found) >= exact * (1 - 1e-9) && Number(found) <= exact * 1.1 * (1 + 1e-9))
        }
      }),
    )
  })

  it('takes back what was recorded, to nothing', () => {
    const [one, other] = [new Histogram(), new Histogram()]
    for (let ms = 0; ms < 100; ms++) for (const histogram of [one, other]) histogram.record(ms)
    one.record(Number.MAX_SAFE_INTEGER)
    assert.equal(one.percentiles()?.count, 101)
    one.subtract(other)
    assert.deepEqual([one.percentiles()?.count, Number(one.percentiles()?.p50) > 4e9], [1, true])
    other.subtract(other)
    assert.equal(other.percentiles(), undefined)
    assert.equal(new Histogram().percentiles(), undefined)
  })
})
