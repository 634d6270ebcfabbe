import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { Heartbeat, type Member, StoreUnavailableError, silent } from '../../lib/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

describe('the heartbeat of a process', () => {
  let store: MemoryEventStore
  let clock: FakeClock
  let heartbeat: Heartbeat

  beforeEach(() => {
    store = new MemoryEventStore()
    clock = new FakeClock()
    heartbeat = new Heartbeat({ store, clock, logger: silent })
  })

  function member(holder: string, more: Partial<Member> = {}): Member & { well: boolean; gone: string[] } {
    const state = { well: true, gone: [] as string[] }
    const isWell = (): boolean => state.well
    return Object.assign(state, { holder, isWell, onGone: (other: string) => void state.gone.push(other), ...more })
  }

  const beatOf = async (holder: string): Promise<number | undefined> =>
    (await store.liveness.beat([])).signs.find((sign) => sign.holder === holder)?.beat

  it('shows all that hold something in it, with one exchange every two seconds', async () => {
    let exchanges = 0
    const { beat } = store.liveness
    store.liveness.beat = async (holders) => {
      exchanges += 1
      return beat.call(store.liveness, holders)
    }
    for (const name of ['a', 'b', 'c']) await heartbeat.join(member(name))
    exchanges = 0
    await clock.advance(60_000)
    assert.equal(exchanges, 30)
    store.liveness.beat = beat
    for (const name of ['a', 'b', 'c']) assert.ok(await beatOf(name))
  })

  it('beats more often for a lease that is shorter', async () => {
    await heartbeat.join(member('a', { leaseMs: 1_000 }))
    const before = await beatOf('a')
    await clock.advance(200)
    assert.notEqual(await beatOf('a'), before)
  })

  it('is shown before anybody who joins goes on', async () => {
    await heartbeat.join(member('a'))
    assert.ok(await beatOf('a'))
  })

  it('shows nothing for who makes no progress, and goes on for the others', async () => {
    const [stuck, well] = [member('stuck'), member('well')]
    await heartbeat.join(stuck)
    await heartbeat.join(well)
    stuck.well = false
    const before = [await beatOf('stuck'), await beatOf('well')]
    await clock.advance(4_000)
    assert.equal(await beatOf('stuck'), before[0])
    assert.notEqual(await beatOf('well'), before[1])
  })

  it('takes nobody for gone who came while two joined, whichever is answered first', async () => {
    const { beat } = store.liveness
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    let asked = 0
    store.liveness.beat = async (holders) => {
      const living = await beat.call(store.liveness, holders)
      if (++asked === 1) await answered
      return living
    }
    const me = member('me')
    const joined = [heartbeat.join(me)]
    await clock.advance(0)
    await beat.call(store.liveness, ['new'])
    joined.push(heartbeat.join(member('another')))
    await clock.advance(0)
    answer()
    await Promise.all(joined)
    assert.deepEqual([me.gone, heartbeat.knows('new')], [[], true])
  })

  it('forgets who stood still for ten seconds, and says so once', async () => {
    const me = member('me')
    await heartbeat.join(me)
    await store.liveness.beat(['dead'])
    await clock.advance(2_000)
    assert.ok(heartbeat.knows('dead'))
    await clock.advance(8_000)
    assert.ok(await beatOf('dead'))
    await clock.advance(4_000)
    assert.equal(await beatOf('dead'), undefined)
    assert.deepEqual(me.gone, ['dead'])
    assert.ok(!heartbeat.knows('dead'))
    await clock.advance(20_000)
    assert.deepEqual(me.gone, ['dead'])
  })

  it('keeps who beats, however slowly, and whatever its clock says', async () => {
    const me = member('me')
    await heartbeat.join(me)
    for (let n = 0; n < 5; n++) {
      await store.liveness.beat(['slow'])
      await clock.advance(9_000)
    }
    assert.deepEqual(me.gone, [])
    assert.ok(await beatOf('slow'))
  })

  it('says that somebody is gone whom another process has forgotten', async () => {
    const me = member('me')
    await heartbeat.join(me)
    await store.liveness.beat(['left'])
    await clock.advance(2_000)
    await store.liveness.forget({ holder: 'left', beat: Number(await beatOf('left')) })
    await clock.advance(2_000)
    assert.deepEqual(me.gone, ['left'])
  })

  it('takes the sign away of who leaves, and stops with the last one', async () => {
    const [one, two] = [member('one'), member('two')]
    await heartbeat.join(one)
    await heartbeat.join(two)
    await heartbeat.leave(one)
    assert.equal(await beatOf('one'), undefined)
    assert.equal(clock.pending, 1)
    await heartbeat.leave(two)
    assert.equal(await beatOf('two'), undefined)
    assert.equal(clock.pending, 0)
  })

  it('leaves the sign of who is dropped, so that others see it stand still', async () => {
    const one = member('one')
    await heartbeat.join(one)
    heartbeat.drop(one)
    const before = await beatOf('one')
    await clock.advance(10_000)
    assert.equal(await beatOf('one'), before)
    assert.equal(clock.pending, 0)
  })

  it('does not begin where the first sign cannot be stored', async () => {
    const { beat } = store.liveness
    store.liveness.beat = () => Promise.reject(new StoreUnavailableError('away'))
    await assert.rejects(heartbeat.join(member('a')), { code: 'STORE_UNAVAILABLE' })
    assert.equal(clock.pending, 0)
    store.liveness.beat = beat
    await heartbeat.join(member('b'))
    assert.equal(await beatOf('a'), undefined, 'who could not join is not shown later')
  })

  it('does not tell anybody that he himself is gone', async () => {
    const me = member('me')
    await heartbeat.join(me)
    await store.liveness.forget({ holder: 'me', beat: Number(await beatOf('me')) })
    me.well = false
    await clock.advance(4_000)
    assert.deepEqual(me.gone, [])
  })

  it('goes on when the store was away', async () => {
    await heartbeat.join(member('a'))
    const before = await beatOf('a')
    const { beat } = store.liveness
    store.liveness.beat = () => Promise.reject(new StoreUnavailableError('away'))
    await clock.advance(10_000)
    store.liveness.beat = beat
    await clock.advance(2_000)
    assert.notEqual(await beatOf('a'), before)
  })

  it('takes nobody for dead since the store was away for all, whoever is back first', async () => {
    const [me, other] = [member('me'), member('other')]
    const late = new FakeClock()
    const another = new Heartbeat({ store, clock: late, logger: silent })
    await heartbeat.join(me)
    await another.join(other)
    await clock.advance(2_000)
    const { beat } = store.liveness
    store.liveness.beat = () => Promise.reject(new StoreUnavailableError('away'))
    for (const one of [clock, late]) await one.advance(60_000)
    store.liveness.beat = beat
    await clock.advance(8_000)
    assert.equal(heartbeat.stoodStillMs('other'), 8_000)
    await late.advance(2_000)
    await clock.advance(2_000)
    assert.equal(heartbeat.stoodStillMs('other'), 0)
    assert.deepEqual([me.gone, other.gone], [[], []])
    another.drop(other)
    await clock.advance(12_000)
    assert.deepEqual(me.gone, ['other'], 'and for dead who does not come back')
  })

  it('brings word that something has changed, once for each time, and no more when nobody listens', async () => {
    let told = 0
    const end = heartbeat.onNotice(() => {
      told += 1
    })
    await clock.advance(2_000)
    assert.equal(told, 1, 'it may have changed before')
    await clock.advance(10_000)
    assert.equal(told, 1)
    await store.liveness.notify()
    await clock.advance(10_000)
    assert.equal(told, 2)
    end()
    assert.equal(clock.pending, 0)
  })
})
