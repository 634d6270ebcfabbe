import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Commit } from '../../lib/index.ts'
import { HeldStreams, type Loading } from '../../lib/provider/held-streams.ts'

function commit(position: number, ...streams: string[]): Commit {
  const events = streams.map((stream) => ({ stream, type: 'stored', data: {} }))
  return { position, id: `commit ${position}`, events, meta: {}, at: 0 }
}

const positions = (held: HeldStreams, name: string, wanted = 1): number[] | undefined =>
  held.get([name], wanted, 0)?.commits.map(({ position }) => position)

describe('streams that are held', () => {
  const hold = (held: HeldStreams, name: string, commits: readonly Commit[], complete = true): void =>
    held.hold(held.begin([name]), { commits, complete }, 0)

  it('have what was read, what came while it was read, and what comes later, each once and in order', () => {
    const held = new HeldStreams(1e6)
    const loading = held.begin(['a'])
    held.add(commit(5, 'a'))
    held.add(commit(6, 'b'))
    held.hold(loading, { commits: [commit(2, 'a'), commit(3, 'a')], complete: true }, 0)
    held.add(commit(7, 'a', 'b'))
    held.add(commit(4, 'a'))
    held.add(commit(4, 'a'))
    assert.deepEqual(positions(held, 'a'), [2, 3, 4, 5, 7])
    assert.equal(positions(held, 'b'), undefined, 'nobody has read it')
  })

  it('are read again after ten minutes: what retention has removed meanwhile is held no longer', () => {
    const held = new HeldStreams(1e6)
    held.hold(held.begin(['a']), { commits: [commit(4, 'a'), commit(5, 'a')], complete: true }, 1_000)
    assert.equal(held.get(['a'], 1, 600_999)?.commits.length, 2)
    assert.equal(held.has(['a'], 1, 601_000), false)
    assert.equal(held.bytes, 0)
    held.hold(held.begin(['a']), { commits: [], complete: true }, 601_000)
    assert.deepEqual(held.get(['a'], 1, 601_000), { commits: [], complete: true })
    held.hold(held.begin(['b']), { commits: [commit(6, 'b')], complete: true }, 0)
    held.hold(held.begin(['b']), { commits: [], complete: true }, 600_000)
    assert.deepEqual(held.get(['b'], 1, 600_000)?.commits, [], 'what was read now counts')
  })

  it('are enough where as many commits as are wanted are known, or all', () => {
    const held = new HeldStreams(1e6)
    hold(held, 'a', [commit(4, 'a'), commit(5, 'a')], false)
    assert.deepEqual(positions(held, 'a', 2), [4, 5])
    assert.equal(positions(held, 'a', 3), undefined)
    hold(held, 'b', [], true)
    assert.deepEqual(positions(held, 'b', 16), [])
  })

  it('say nothing of what lies below the newest that are known', () => {
    const held = new HeldStreams(1e6)
    hold(held, 'a', [commit(4, 'a'), commit(6, 'a')], false)
    held.add(commit(3, 'a'))
    assert.equal(positions(held, 'a', 3), undefined, 'between 3 and 4 another one may be missing')
    held.add(commit(5, 'a'))
    assert.deepEqual(positions(held, 'a', 3), [4, 5, 6])
  })

  it('leave an answer that was given as it was', () => {
    const held = new HeldStreams(1e6)
    hold(held, 'a', [commit(1, 'a')])
    const before = held.get(['a'], 1, 0)
    held.add(commit(2, 'a'))
    assert.equal(before?.commits.length, 1)
  })

  it('are found by all names of a thing', () => {
    const held = new HeldStreams(1e6)
    held.hold(held.begin(['a', 'A']), { commits: [commit(1, 'a')], complete: true }, 0)
    held.add(commit(2, 'A'))
    assert.deepEqual(
      held.get(['a', 'A'], 2, 0)?.commits.map(({ position }) => position),
      [1, 2],
    )
    assert.equal(held.get(['a'], 1, 0), undefined)
  })

  it('are dropped by name, and all at once; what is being read then is not held', () => {
    const held = new HeldStreams(1e6)
    for (const name of ['a', 'b', 'c']) hold(held, name, [])
    const [spoilt, other] = [held.begin(['d']), held.begin(['e'])]
    held.drop(['a', 'd'])
    held.hold(spoilt, { commits: [], complete: true }, 0)
    held.hold(other, { commits: [], complete: true }, 0)
    assert.deepEqual(
      ['a', 'b', 'd', 'e'].map((name) => positions(held, name)),
      [undefined, [], undefined, []],
    )
    const last = held.begin(['f'])
    held.clear()
    held.hold(last, { commits: [], complete: true }, 0)
    assert.deepEqual([positions(held, 'b'), positions(held, 'f'), held.bytes], [undefined, undefined, 0])
  })

  it('lose their oldest commits where they become long', () => {
    const held = new HeldStreams(1e6)
    hold(held, 'a', [])
    for (let position = 1; position <= 10_000; position++) held.add(commit(position, 'a'))
    const commits = held.get(['a'], 16, 0)?.commits ?? []
    assert.ok(commits.length >= 16 && commits.length <= 32)
    assert.equal(commits.at(-1)?.position, 10_000)
    assert.equal(held.get(['a'], 33, 0), undefined)
  })

  it('take a bounded number of bytes, whatever is read: those used last stay', () => {
    const most = 200_000
    const held = new HeldStreams(most)
    hold(held, 'used', [commit(1, 'used')])
    for (let n = 2; n < 1_000_000; n++) {
      hold(held, `stream ${n}`, [commit(n, `stream ${n}`)])
      if (n % 50 === 0) held.get(['used'], 1, 0)
      if (n % 10_000 === 0) assert.ok(held.bytes <= most)
    }
    assert.deepEqual(positions(held, 'used'), [1])
    assert.equal(positions(held, 'stream 2'), undefined)
  })

  it('keep nothing of a stream that alone is too large', () => {
    const held = new HeldStreams(10_000)
    const large = { ...commit(1, 'a'), events: [{ stream: 'a', type: 'stored', data: { sealed: 'x'.repeat(20_000) } }] }
    hold(held, 'a', [large])
    assert.deepEqual([positions(held, 'a'), held.bytes], [undefined, 0])
  })

  it('hold what a log holds, whatever happens in which order', () => {
    const name = fc.constantFrom('a', 'b', 'c')
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('append' as const), streams: fc.uniqueArray(name, { minLength: 1 }) }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('begin' as const), name, wanted: fc.integer({ min: 1, max: 20 }) }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('late' as const) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 500, max: 50_000 }), (steps, most) => {
        const held = new HeldStreams(most)
        const log: Commit[] = []
        /** Appended, and not yet visible to anybody: their inserts take longer. */
        const late: Commit[] = []
        const reading: { loading: Loading; commits: Commit[]; complete: boolean }[] = []
        let position = 0
        for (const one of steps) {
          if (one.kind === 'append') {
            const made = commit(++position, ...one.streams)
            if (position % 5 === 0) late.push(made)
            else {
              log.push(made)
              held.add(made)
            }
          } else if (one.kind === 'late') {
            const made = late.shift()
            if (made) {
              log.push(made)
              held.add(made)
            }
          } else if (one.kind === 'begin') {
            const loading = held.begin([one.name])
            const own = sorted(log, one.name)
            reading.push({ loading, commits: own.slice(-one.wanted), complete: own.length < one.wanted })
          } else {
            const read = reading.shift()
            if (read) held.hold(read.loading, read, 0)
          }
          assert.ok(held.bytes <= most)
          for (const name of ['a', 'b', 'c']) {
            for (const wanted of [1, 2, 16]) {
              const found = held.get([name], wanted, 0)
              if (!found) continue
              const all = sorted(log, name)
              assert.deepEqual(found.commits, found.complete ? all : all.slice(-found.commits.length))
              assert.ok(found.complete || found.commits.length >= wanted)
            }
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})

function sorted(log: readonly Commit[], name: string): Commit[] {
  const own = log.filter(({ events }) => events.some(({ stream }) => stream === name))
  return own.sort((a, b) => a.position - b.position)
}
