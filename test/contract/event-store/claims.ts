import assert from 'node:assert/strict'
import fc from 'fast-check'
import { AlreadyClaimedError, ConcurrencyError } from '../../../lib/errors.ts'
import type { Claim, NewCommit } from '../../../lib/log/commit.ts'
import { anyCharacter } from '../../support/any-character.ts'
import { only, present, race, rejectsWith } from './expect.ts'
import { wholeLog } from './invariants.ts'
import { commitTo, event, fresh, type MakeLog, openedLog, range } from './log-under-test.ts'

function once(mark: string): Claim {
  return { kind: 'once', mark }
}

export function claimsContract(makeLog: MakeLog): void {
  describe('a once-only mark', () => {
    const log = openedLog(makeLog)

    it('is given to the first commit and to no other', async () => {
      const mark = fresh('code')
      const claims = [once(mark)]
      await log.store.append({ ...commitTo(fresh()), claims })
      const error = await rejectsWith('ALREADY_CLAIMED', () => log.store.append({ ...commitTo(fresh()), claims }))
      assert.ok(error instanceof AlreadyClaimedError)
      assert.equal(error.mark, mark)
    })

    it('goes to exactly one of 32 that want it at once; the others are at no position', async () => {
      const from = await log.store.end()
      const [stream, mark] = [fresh(), fresh('code')]
      const { won, lost } = await race(
        range(32).map((n) => () => log.store.append({ ...commitTo(stream, { data: { n } }), claims: [once(mark)] })),
      )
      const { id } = only(won)
      assert.deepEqual(
        lost,
        range(31).map(() => 'ALREADY_CLAIMED'),
      )
      assert.equal(only(await log.store.read(stream)).id, id)
      assert.equal(only(await wholeLog(log.store, from)).id, id)
    })

    it('is exact, whatever is in it', async () => {
      const tried = new Set<string>()
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: anyCharacter }), async (text) => {
          const claims = [once(text)]
          const append = (): Promise<unknown> => log.store.append({ ...commitTo(fresh()), claims })
          if (!tried.has(text)) await append()
          tried.add(text)
          await rejectsWith('ALREADY_CLAIMED', append)
        }),
        { numRuns: 30 },
      )
    })

    it('can be wanted together with others: all of them or none', async () => {
      const [a, b, c] = [fresh('m'), fresh('m'), fresh('m')]
      await log.store.append({ ...commitTo(fresh()), claims: [once(a), once(b)] })
      await rejectsWith('ALREADY_CLAIMED', () => log.store.append({ ...commitTo(fresh()), claims: [once(c), once(b)] }))
      await log.store.append({ ...commitTo(fresh()), claims: [once(c)] })
    })

    it('may be named twice by one commit', async () => {
      const mark = fresh('m')
      await log.store.append({ ...commitTo(fresh()), claims: [once(mark), once(mark)] })
    })

    it('is something else than a stream of the same text', async () => {
      const text = fresh('same')
      const kinds: Claim[] = [once(text), { kind: 'follows', stream: text, after: '1' }]
      for (const claim of kinds) await log.store.append({ ...commitTo(fresh()), claims: [claim] })
    })

    it('lets commits without claims pass by in any number', async () => {
      const from = await log.store.end()
      await Promise.all(
        range(20).map((n) => log.store.append({ ...commitTo(fresh()), ...(n % 2 === 0 && { claims: [] }) })),
      )
      assert.equal((await wholeLog(log.store, from)).length, 20)
    })
  })

  describe('"I follow commit X of this stream"', () => {
    const log = openedLog(makeLog)

    it('holds for one successor; the second must read again', async () => {
      const stream = fresh()
      const { id } = await log.store.append(commitTo(stream))
      const next: NewCommit = { ...commitTo(stream), claims: [{ kind: 'follows', stream, after: id }] }
      const { won, lost } = await race(range(8).map(() => () => log.store.append(next)))
      assert.deepEqual(
        lost,
        range(7).map(() => 'CONCURRENCY'),
      )
      const error = await rejectsWith('CONCURRENCY', () => log.store.append(next))
      assert.ok(error instanceof ConcurrencyError)
      assert.equal(error.stream, stream)
      await log.store.append({ ...commitTo(stream), claims: [{ kind: 'follows', stream, after: only(won).id }] })
    })

    it('is about one stream: another may follow a commit of the same id', async () => {
      const [one, two] = [fresh(), fresh('with@sign')]
      const { id } = await log.store.append({ events: [event(one), event(two)] })
      for (const stream of [one, two])
        await log.store.append({ ...commitTo(stream), claims: [{ kind: 'follows', stream, after: id }] })
    })
  })

  describe('a refused append among others of the same moment', () => {
    const log = openedLog(makeLog)

    it('is at no position, and its neighbours are each at one', async () => {
      const mark = fresh('m')
      await log.store.append({ ...commitTo(fresh()), claims: [once(mark)] })
      const from = await log.store.end()
      const { won, lost } = await race(
        range(100).map(
          (n) => () => log.store.append({ ...commitTo(fresh()), ...(n % 3 === 0 && { claims: [once(mark)] }) }),
        ),
      )
      assert.equal(lost.length, 34)
      const commits = await wholeLog(log.store, from)
      assert.deepEqual(commits.map(({ id }) => id).sort(), won.map(({ id }) => id).sort())
    })

    it('leaves its other claims and its versions free', async () => {
      const [stream, mark, free] = [fresh(), fresh('m'), fresh('m')]
      await log.store.append({ ...commitTo(fresh()), claims: [once(mark)] })
      const loser: NewCommit = { events: [event(stream, { version: 1 })], claims: [once(mark), once(free)] }
      await rejectsWith('ALREADY_CLAIMED', () => log.store.append(loser))
      assert.equal(await log.store.latest(stream), undefined)
      await log.store.append({ events: [event(stream, { version: 1 })], claims: [once(free)] })
      assert.equal(present(await log.store.latest(stream)).events[0]?.version, 1)
    })
  })
}
