import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Commit, NewEvent } from '../../lib/index.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { type CandidatePlace, candidates, type Wanted } from '../../plugins/back-channel-logout/ending/candidates.ts'
import { LiveIndex, streamOfEntry } from '../../plugins/back-channel-logout/ending/live-index.ts'

/** What happens to a session or a grant of an account, as the provider's models write it. */
interface Step {
  readonly kind: 'session' | 'grant'
  readonly of: number
  readonly account: 'alice' | 'bob'
  readonly does: 'store' | 'rotate' | 'end'
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom<'session' | 'grant'>('session', 'session', 'grant'),
    of: fc.integer({ min: 0, max: 5 }),
    account: fc.constantFrom<'alice' | 'bob'>('alice', 'bob'),
    does: fc.constantFrom<'store' | 'rotate' | 'end'>('store', 'store', 'rotate', 'end'),
  }),
  { maxLength: 40 },
)

const NAMES = { alice: ['account:alice-1', 'account:alice-2'], bob: ['account:bob-1', 'account:bob-2'] } as const

/** A log in which sessions and grants come and go. What has ended does not come back. */
class Lives {
  readonly store = new MemoryEventStore()
  readonly index = new LiveIndex(this.store)
  /** By id: whose it is, where it began, whether it lives. */
  readonly known = new Map<string, { account: 'alice' | 'bob'; began: number; lives: boolean }>()

  async take({ kind, of, account, does }: Step): Promise<void> {
    const id = kind === 'session' ? `uid:${of}` : `Grant:${of}`
    const before = this.known.get(id)
    if (before ? !before.lives : does !== 'store') return
    const also = [...NAMES[before?.account ?? account], ...(kind === 'session' ? [id] : [])]
    const event = (type: string, cookie: number, exp?: number): NewEvent => ({
      stream: kind === 'session' ? `Session:${of}-${cookie}` : id,
      also,
      type,
      data: exp === undefined ? {} : { exp },
    })
    const end = await this.store.end()
    const rotates = does === 'rotate' && kind === 'session'
    const events =
      does === 'end'
        ? [event('destroyed', end)]
        : rotates
          ? [event('destroyed', end), event('stored', end + 1, 2_000)]
          : [event('stored', end, 2_000)]
    const { position } = await this.store.append({ events })
    this.known.set(id, { account: before?.account ?? account, began: before?.began ?? position, lives: does !== 'end' })
  }

  /** What lives and began before, of an account or of everybody. */
  living({ kind, accounts, before }: Wanted): string[] {
    return [...this.known]
      .filter(([id, { account, began, lives }]) => {
        const isMeant = accounts === undefined || accounts[0] === NAMES[account][0]
        return lives && began < before && isMeant && id.startsWith(kind === 'session' ? 'uid:' : 'Grant:')
      })
      .map(([id]) => id)
      .sort()
  }

  /** Goes through all candidates, and looks at each. */
  async found(wanted: Wanted, size: number, between: () => Promise<void> = async () => {}): Promise<string[]> {
    const found = new Set<string>()
    let place: CandidatePlace | undefined
    do {
      const page = await candidates(this.store, wanted, place, size)
      for (const id of [...page.commits.flatMap(idsIn), ...page.entries.map((entry) => entry.id)]) {
        const known = this.known.get(id)
        if (known?.lives && known.began < wanted.before && id.startsWith(wanted.kind === 'session' ? 'uid' : 'Grant'))
          found.add(id)
      }
      place = page.next
      await between()
    } while (place)
    return [...found].sort()
  }
}

function idsIn({ events }: Commit): string[] {
  const stored = events.filter(({ type }) => type === 'stored')
  return stored.flatMap(({ stream, also = [] }) => [stream, ...also].filter((name) => /^(uid|Grant):/.test(name)))
}

const WANTED = [{ kind: 'session' }, { kind: 'grant' }] as const

describe('the sessions and grants that live', () => {
  it('are all found, wherever the planner stands, whatever it does twice or late, and though they are written meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        steps,
        steps,
        fc.integer({ min: 0, max: 40 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 9 })), { maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        async (older, some, meanwhile, lag, late, size) => {
          const lives = new Lives()
          for (const step of older) await lives.take(step)
          await lives.index.begin()
          const since = await lives.store.end()
          for (const step of some) await lives.take(step)
          const end = await lives.store.end()
          const planned = Math.max(since, end - lag)
          const all = await lives.store.readAll({ after: 0, limit: 1_000 })
          await lives.index.follow(all.slice(since, planned))
          // A holder that was taken for dead does some of it again.
          for (const [from, count] of late)
            await lives.index.follow(all.slice(since, planned).slice(from, from + count))
          const record = await lives.store.consumers.ensure(PLANNER, planned)
          const left = [...meanwhile]
          for (const accounts of [NAMES.alice, undefined]) {
            for (const { kind } of WANTED) {
              const before = (await lives.store.end()) + 1
              const wanted: Wanted = { kind, before, ...(accounts && { accounts }) }
              const found = await lives.found(wanted, size, async () => {
                const step = left.pop()
                if (step) await lives.take(step)
                await lives.index.follow(await lives.store.readAll({ after: planned, limit: 1_000 })) // the planner goes on
              })
              // Whatever lives still must have been found; what ended on the way may have been.
              for (const id of lives.living(wanted)) assert.ok(found.includes(id), `${id} was not found`)
              const { entries } = await candidates(lives.store, wanted, { part: 'index', name: 0 }, 1_000)
              for (const { first } of entries) assert.ok(first < before)
            }
          }
          assert.equal((await lives.store.consumers.get(PLANNER))?.position, record.position)
        },
      ),
      { numRuns: 150, seed: 20_261_129 },
    )
  })

  it('are all that is looked at, when the planner is up to date: nothing of what ended', async () => {
    const lives = new Lives()
    await lives.index.begin()
    for (let of = 0; of < 1_000; of++) {
      await lives.take({ kind: 'session', of, account: 'alice', does: 'store' })
      if (of !== 500) await lives.take({ kind: 'session', of, account: 'alice', does: 'end' })
    }
    const end = await lives.store.end()
    await lives.index.follow(await lives.store.readAll({ after: 0, limit: 10_000 }))
    await lives.store.consumers.ensure(PLANNER, end)
    for (const accounts of [NAMES.alice, undefined]) {
      const wanted: Wanted = { kind: 'session', before: end + 1, ...(accounts && { accounts }) }
      const page = await candidates(lives.store, wanted, undefined, 100)
      assert.deepEqual(page.commits, [])
      assert.deepEqual([...new Set(page.entries.map(({ id }) => id))], ['uid:500'])
      assert.equal(page.next, undefined)
    }
  })

  it('are looked for in the whole log, where the index was dropped', async () => {
    const lives = new Lives()
    await lives.take({ kind: 'session', of: 1, account: 'alice', does: 'store' })
    await lives.store.consumers.ensure(PLANNER, 1)
    const wanted: Wanted = { kind: 'session', before: 2, accounts: NAMES.alice }
    assert.deepEqual(await lives.found(wanted, 10), ['uid:1'])
  })

  it('are known with where they began, and by an index that begins once', async () => {
    const lives = new Lives()
    await lives.index.begin()
    for (const uid of [1, 2, 1, 1]) await lives.take({ kind: 'session', of: uid, account: 'alice', does: 'store' })
    await lives.index.follow(await lives.store.readAll({ after: 0, limit: 10 }))
    const entries = await lives.index.list('session', 10)
    assert.deepEqual(
      entries.map(({ id, first, position }) => [id, first, position]),
      [
        ['uid:2', 2, 2],
        ['uid:1', 1, 4],
      ],
    )
    await lives.index.begin()
    assert.equal(await lives.index.completeAfter(), 0)
    await lives.store.consumers.ensure(PLANNER, 4)
    const wanted: Wanted = { kind: 'session', before: 2 }
    const page = await candidates(lives.store, wanted, undefined, 10)
    assert.deepEqual(
      page.entries.map(({ id }) => id),
      ['uid:1'],
      'what began later is another matter',
    )
  })

  it('live on at one issuer, though another one ends a grant of the same id', async () => {
    const lives = new Lives()
    await lives.index.begin()
    const write = (type: string, instance: string): Promise<unknown> =>
      lives.store.append({
        events: [{ stream: 'Grant:chosen', also: ['account:alice-1'], type, data: {} }],
        meta: { instance },
      })
    await write('stored', 'https://one.example')
    await write('stored', 'https://two.example')
    await write('destroyed', 'https://two.example')
    await lives.index.follow(await lives.store.readAll({ after: 0, limit: 10 }))
    const [entry, ...others] = await lives.index.list('grant account:alice-1', 10)
    assert.equal(entry && streamOfEntry(entry), 'Grant:chosen')
    assert.equal(entry?.position, 1)
    assert.deepEqual(others, [])
  })

  it('are no more that have expired long ago, though nobody said that they ended', async () => {
    const lives = new Lives()
    await lives.index.begin()
    await lives.take({ kind: 'session', of: 1, account: 'alice', does: 'store' })
    await lives.index.follow(await lives.store.readAll({ after: 0, limit: 10 }))
    const list = () => lives.index.list('session', 10)
    await lives.index.sweep(2_000_000 + 86_400_000)
    assert.equal((await list()).length, 1)
    await lives.index.sweep(2_000_000 + 86_400_001)
    assert.deepEqual(await list(), [])
  })
})
