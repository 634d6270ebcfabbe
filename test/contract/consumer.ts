import assert from 'node:assert/strict'
import { type Commit, type EventStore, type RemoveConsumerOptions, removeConsumer } from '../../lib/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type Follower, follower, Obstacle, until } from '../support/log-follower.ts'
import { rejectsWith } from './event-store/expect.ts'

/** One log, and a store on it for each process. */
export interface Processes {
  open(): Promise<EventStore>
  remove(): Promise<void>
}

/** What holds for consumers of the log on any store. Time is moved by hand, for each process alone. */
export function consumerContract(name: string, make: () => Promise<Processes>): void {
  describe(`consumers of the log on ${name}`, () => {
    let processes: Processes
    let one: EventStore
    let two: EventStore
    let followers: Follower[]

    beforeEach(async () => {
      processes = await make()
      one = await processes.open()
      two = await processes.open()
      followers = []
    })

    afterEach(async () => {
      const stopping = Promise.all(followers.map(({ consumer }) => consumer.stop()))
      await stopping
      await one.close()
      await two.close()
      await processes.remove()
    })

    async function started(...[store, ...rest]: Parameters<typeof follower>): Promise<Follower> {
      const made = follower(store, ...rest)
      followers.push(made)
      await made.consumer.start(0)
      return made
    }

    async function append(count: number): Promise<number[]> {
      const positions: number[] = []
      for (let i = 0; i < count; i++) {
        const { position } = await one.append({ events: [{ stream: 'a', type: 'happened', data: { i } }] })
        positions.push(position)
      }
      return positions
    }

    const position = async (): Promise<number | undefined> => (await one.consumers.get('c'))?.position
    const last = (positions: readonly number[]): number => Number(positions.at(-1))
    const clocksOf = (...some: readonly Follower[]): FakeClock[] => some.map(({ clock }) => clock)

    /** By a process on a clock of its own, which moves together with these. */
    async function removed(options: RemoveConsumerOptions = {}, clocks: readonly FakeClock[] = []) {
      const clock = new FakeClock()
      let isDone = false
      const removing = removeConsumer({ store: two, clock }, 'c', options).finally(() => {
        isDone = true
      })
      await Promise.all([removing, until(() => isDone, [clock, ...clocks])])
      return removing
    }

    it('are not removed while they live, and are once they are dead, with what they have parked', async () => {
      const positions = await append(2)
      const refuse = (): Promise<void> => Promise.reject(new Error('no'))
      const a = await started(one, 'c', refuse, { onFailure: 'park', tries: 1 })
      await until(async () => (await one.work('parked').countOpen({ lane: 'c' })) === 2)
      await until(async () => (await position()) === last(positions))
      await rejectsWith('CONSUMER_LIVES', () => removed({}, [a.clock]))
      await one.work('parked').add([{ id: 'd@1', lane: 'cd', dueAt: Number.MAX_SAFE_INTEGER, body: {} }])
      const would = { name: 'c', position: last(positions), behind: 0, parked: 2 }
      // From here on its clock stands still: it shows no sign of life any more.
      assert.deepEqual(await removed({ dryRun: true }), { ...would, dryRun: true })
      assert.equal(await position(), last(positions))
      assert.deepEqual(await removed(), { ...would, dryRun: false })
      assert.equal(await position(), undefined)
      assert.equal(await one.work('parked').countOpen({ lane: 'c' }), 0)
      assert.equal(await one.work('parked').countOpen({ lane: 'cd' }), 1)
      await rejectsWith('OPTION_INVALID', () => removed())
    })

    it('handle every commit, in order, and remember how far they got', async () => {
      const before = await append(3)
      const a = await started(one, 'c')
      const after = await append(2)
      await until(async () => (await position()) === last(after))
      assert.deepEqual(a.handled, [...before, ...after])
    })

    it('begin where they were told when they are new, and go on at the checkpoint when they are not', async () => {
      const skipped = await append(2)
      const first = follower(one, 'c')
      followers.push(first)
      await first.consumer.start(last(skipped))
      const seen = await append(2)
      await until(async () => (await position()) === last(seen))
      await first.consumer.stop()
      const missed = await append(1)
      const second = await started(two, 'c')
      await until(async () => (await position()) === last(missed))
      assert.deepEqual(first.handled, seen)
      assert.deepEqual(second.handled, missed)
    })

    it('are one of many: one process holds the lease and handles everything', async () => {
      const all = await Promise.all([one, two, one, two].map((store) => started(store, 'c')))
      const positions = await append(10)
      await until(async () => (await position()) === last(positions), clocksOf(...all))
      assert.deepEqual(
        all.map(({ handled }) => handled).filter(({ length }) => length > 0),
        [positions],
      )
    })

    it('keep the lease as long as they live, however long that is', async () => {
      const a = await started(one, 'c')
      await until(async () => (await one.consumers.get('c'))?.holder !== undefined)
      const holder = (await one.consumers.get('c'))?.holder
      const b = await started(two, 'c')
      const beatOf = async (): Promise<number | undefined> =>
        (await one.liveness.beat([])).signs.find((sign) => sign.holder === holder)?.beat
      for (let i = 0; i < 60; i++) {
        const beat = await beatOf()
        await until(async () => (await beatOf()) !== beat, clocksOf(a, b))
      }
      assert.ok(b.clock.monotonic() > 60_000)
      assert.equal((await one.consumers.get('c'))?.holder, holder)
    })

    it('are taken over when they stand still for ten seconds, and not before', async () => {
      await started(one, 'c')
      await until(async () => (await one.consumers.get('c'))?.holder !== undefined)
      const holder = (await one.consumers.get('c'))?.holder
      const b = await started(two, 'c')
      await b.clock.scheduled()
      const began = b.clock.monotonic()
      await until(async () => (await one.consumers.get('c'))?.holder !== holder, [b.clock], 100)
      const tookMs = b.clock.monotonic() - began
      assert.ok(tookMs >= 10_000, `${tookMs} ms`)
    })

    it('lose the lease, and say so, when their handler does not return; others go on', async () => {
      const obstacle = new Obstacle()
      const hung = await started(one, 'c', () => obstacle.pass())
      const positions = await append(3)
      await obstacle.reached
      const heir = await started(two, 'c')
      await until(async () => (await position()) === last(positions), clocksOf(hung, heir))
      assert.deepEqual(heir.handled, positions)
      assert.equal(hung.log.lines.filter(({ fields }) => fields['event'] === 'consumer_stuck').length, 1)
      assert.deepEqual(hung.handled, [])
      obstacle.remove()
      await until(() => hung.handled.length > 0)
      const later = await append(1)
      await until(async () => (await position()) === last(later), clocksOf(hung, heir))
      assert.deepEqual(heir.handled, [...positions, ...later])
    })

    it('lose the lease, and say so, when nothing of what is in the log reaches them; others go on', async () => {
      const deaf = silenced(one)
      const a = await started(deaf, 'c')
      await until(async () => (await one.consumers.get('c'))?.holder !== undefined)
      const positions = await append(3)
      const heir = await started(two, 'c')
      await until(async () => (await position()) === last(positions), clocksOf(a, heir))
      assert.deepEqual([a.handled, heir.handled], [[], positions])
      assert.ok(a.log.lines.some(({ fields }) => fields['event'] === 'consumer_stuck'))
    })

    it('keep the lease while there is nothing to do, as long as the log says so', async () => {
      const a = await started(one, 'c')
      await until(async () => (await one.consumers.get('c'))?.holder !== undefined)
      const before = await one.consumers.get('c')
      for (let i = 0; i < 60; i++) await until(() => true, clocksOf(a), 2_000).then(() => a.clock.advance(2_000))
      assert.deepEqual(await one.consumers.get('c'), before)
      assert.deepEqual(a.log.lines, [])
    })

    it('can be started again after they were stopped, and go on where they were', async () => {
      const a = await started(one, 'c')
      const first = await append(1)
      await until(async () => (await position()) === last(first))
      await a.consumer.stop()
      const missed = await append(1)
      await a.consumer.start(0)
      const seen = await append(1)
      await until(async () => (await position()) === last(seen), clocksOf(a))
      assert.deepEqual(a.handled, [...first, ...missed, ...seen])
    })

    it('change nothing any more when they were paused and another took over', async () => {
      const obstacle = new Obstacle()
      const paused = await started(one, 'c', () => obstacle.pass())
      const positions = await append(3)
      await obstacle.reached
      const heir = await started(two, 'c')
      await until(async () => (await position()) === last(positions), [heir.clock])
      const more = await append(2)
      await until(async () => (await position()) === last(more))
      const record = await one.consumers.get('c')
      obstacle.remove()
      await until(() => paused.log.of(/was interrupted/).length > 0)
      assert.deepEqual(await one.consumers.get('c'), record)
      const latest = await append(1)
      await until(async () => (await position()) === last(latest), [heir.clock])
      assert.deepEqual(heir.handled, [...positions, ...more, ...latest])
    })

    it('try a commit that fails again, and show which one of the batch it is', async () => {
      const positions = await append(3)
      let failures = 3
      const batches: number[][] = []
      const handle = async (commits: readonly Commit[]): Promise<void> => {
        batches.push(commits.map((commit) => commit.position))
        if (commits.some((commit) => commit.position === positions[1]) && failures-- > 0) throw new Error('no')
      }
      const a = await started(one, 'c', handle)
      await until(async () => (await position()) === last(positions), [a.clock], 50)
      const [first, second, third] = positions.map((at) => [at])
      assert.deepEqual(batches, [positions, first, second, second, second, third])
      assert.deepEqual(a.handled, positions)
    })

    it('stop at a commit that fails ten times, visibly, and leave it to others', async () => {
      const positions = await append(3)
      const fail = async (commits: readonly Commit[]): Promise<void> => {
        if (commits.some((commit) => commit.position === positions[1])) throw new Error('never')
      }
      const a = await started(one, 'c', fail)
      await until(() => a.consumer.failure !== undefined, [a.clock], 10_000)
      assert.equal(a.consumer.failure?.code, 'CONSUMER_STOPPED')
      assert.match(String(a.consumer.failure?.cause), /never/)
      assert.equal(a.log.of(/has stopped/).length, 1)
      assert.equal(a.log.of(/a commit could not be handled/).length, 10)
      await until(async () => (await one.consumers.get('c'))?.holder === undefined)
      assert.equal(await position(), 0)
      const heir = await started(two, 'c')
      await until(async () => (await position()) === last(positions))
      assert.deepEqual(heir.handled, positions)
    })

    it('park a commit that fails again and again where they may, and go on', async () => {
      const positions = await append(3)
      const fail = async (commits: readonly Commit[]): Promise<void> => {
        if (commits.some((commit) => commit.position === positions[1])) throw new Error('never')
      }
      const a = await started(one, 'c', fail, { onFailure: 'park', tries: 3 })
      await until(async () => (await position()) === last(positions), [a.clock])
      assert.deepEqual(a.handled, [positions[0], positions[2]])
      assert.equal(a.consumer.failure, undefined)
      const parked = await two.work('parked').get(`c@${positions[1]}`)
      assert.deepEqual(parked?.body, { consumer: 'c', position: positions[1], why: 'never' })
      assert.deepEqual(await two.work('parked').claim({ holder: 'x', now: 8.64e15, limit: 10, perLane: 10 }), [])
    })

    it('let the handler return before they are stopped, and give the lease up so that another takes it at once', async () => {
      const obstacle = new Obstacle()
      const a = await started(one, 'c', () => obstacle.pass())
      const positions = await append(1)
      await obstacle.reached
      let stopped = false
      const stopping = a.consumer.stop().then(() => {
        stopped = true
      })
      await one.consumers.get('c')
      await new Promise((resolve) => setImmediate(resolve))
      assert.equal(stopped, false)
      obstacle.remove()
      await stopping
      assert.deepEqual(a.handled, positions)
      assert.equal((await one.consumers.get('c'))?.holder, undefined)
      const b = await started(two, 'c')
      await until(async () => (await position()) === last(positions))
      assert.equal(b.clock.monotonic(), 1_000, 'it waited')
    })
  })
}

/** The store, with a subscription that gets nothing and says nothing: its connection went silent. */
function silenced(store: EventStore): EventStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'subscribe') {
        return async function* ({ signal }: { readonly signal: AbortSignal }) {
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
          yield* []
        }
      }
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
