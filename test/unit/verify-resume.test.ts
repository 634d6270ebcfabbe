import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  type EventStore,
  type Fault,
  type LogEntry,
  systemClock,
  type VerifyOptions,
  type VerifyReport,
  type VerifyResume,
  verifyLog,
} from '../../lib/index.ts'
import { SEGMENT } from '../../lib/verify/segments.ts'

const END = 4_321

/** A log of so many positions, of which these are forged, and these missing. */
function logOf(end: number, forged: ReadonlySet<number>, missing: ReadonlySet<number>, base = new MemoryEventStore()) {
  const entryAt = (position: number): LogEntry =>
    position % 7 === 0
      ? { kind: 'tombstone', position }
      : { kind: forged.has(position) ? 'forged' : 'newer', position, id: '' }
  let given = 0
  const store = new Proxy<EventStore>(base, {
    get(target, key) {
      if (key === 'end') return async () => end
      if (key === 'entries')
        return async ({ after, limit }: { readonly after: number; readonly limit: number }) => {
          const found: LogEntry[] = []
          for (let at = after + 1; at <= end && found.length < limit; at++)
            if (!missing.has(at)) found.push(entryAt(at))
          given += found.filter(({ kind }) => kind !== 'tombstone').length
          return found
        }
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { store, given: () => given }
}

const clock = { ...systemClock, sleep: async () => {} }

async function verified(store: EventStore, options: VerifyOptions = {}) {
  const faults: Fault[] = []
  const report = await verifyLog({ store, clock }, { ...options, onFault: (fault) => faults.push(fault) })
  return { faults, report }
}

describe('a run of verifyLog that is interrupted', () => {
  it('finds, with those that go on with it, what one run finds, and nothing twice', async () => {
    const position = fc.integer({ min: 1, max: END })
    const some = fc.uniqueArray(position, { maxLength: 8 }).map((list) => new Set(list))
    await fc.assert(
      fc.asyncProperty(some, some, fc.array(fc.nat(3), { maxLength: 5 }), async (forged, missing, stretches) => {
        const { store } = logOf(END, forged, missing)
        const whole = await verified(store)
        const faults: Fault[] = []
        let last: VerifyReport | undefined
        let resume: VerifyResume | undefined
        for (const most of [...stretches, Number.POSITIVE_INFINITY]) {
          const stopping = new AbortController()
          let done = 0
          if (most === 0) stopping.abort()
          const part = await verified(store, {
            ...(resume && { resume }),
            signal: stopping.signal,
            onProgress: () => {
              done += 1
              if (done >= most) stopping.abort()
            },
          })
          faults.push(...part.faults)
          last = part.report
          // As a file keeps it.
          resume = last.resume && (JSON.parse(JSON.stringify(last.resume)) as VerifyResume)
          if (!resume) break
        }
        assert.deepEqual(faults, whole.faults)
        assert.deepEqual(last, whole.report)
      }),
      { numRuns: 30 },
    )
  })

  it('takes nothing for missing whose writer it has not waited for', async () => {
    const { store } = logOf(END, new Set(), new Set([4_200]))
    const stopping = new AbortController()
    const patient = { ...systemClock, sleep: async () => stopping.abort() }
    const faults: Fault[] = []
    const report = await verifyLog(
      { store, clock: patient },
      { signal: stopping.signal, onFault: (fault) => faults.push(fault) },
    )
    assert.equal(
      faults.some(({ code }) => code === 'POSITION_MISSING'),
      false,
    )
    assert.equal(report.resume?.at, 4_000)
    const { report: rest } = await verified(store, { resume: report.resume as VerifyResume })
    assert.equal(rest.byCode.POSITION_MISSING, 1)
    assert.equal(rest.byCode.COMMIT_NEWER, (await verified(store)).report.byCode.COMMIT_NEWER)
  })

  it('goes on with no other log, no other options, and not behind the end', async () => {
    const base = new MemoryEventStore()
    const { store } = logOf(END, new Set(), new Set(), base)
    const stopped = await verified(store, { signal: AbortSignal.abort() })
    const resume: VerifyResume = { ...(stopped.report.resume as VerifyResume), at: 2_000 }
    await verified(store, { resume })
    const unfit = { code: 'RESUME_UNFIT' }
    await assert.rejects(verified(logOf(END, new Set(), new Set()).store, { resume }), unfit)
    await assert.rejects(verified(store, { resume, deep: true }), unfit)
    await assert.rejects(verified(logOf(1_999, new Set(), new Set(), base).store, { resume }), unfit)
    await assert.rejects(verified(store, { resume: { ...resume, version: 2 as 1 } }), unfit)
    await assert.rejects(verified(store, { resume, after: 3 }), { code: 'OPTION_INVALID' })
    await assert.rejects(verified(store, { after: -1 }), { code: 'OPTION_INVALID' })
  })

  it('holds as much of a log of a hundred thousand positions as of one of a thousand: a segment, and a page', async () => {
    const held = async (end: number) => {
      const { store, given } = logOf(end, new Set(), new Set())
      let [told, untold, calls, page, state] = [0, 0, 0, 0, 0]
      const watched = new Proxy(store, {
        get(target, key) {
          if (key !== 'entries') return Reflect.get(target, key)
          return async (asked: { readonly after: number; readonly limit: number }) => {
            calls += 1
            page = Math.max(page, asked.limit)
            const found = await target.entries(asked)
            untold = Math.max(untold, given() - told) // each of them is a fault
            return found
          }
        },
      })
      await verifyLog(
        { store: watched, clock },
        {
          onFault: () => {
            told += 1
          },
          onProgress: ({ resume }) => {
            state = Math.max(state, JSON.stringify({ ...resume, at: 0, commits: 0, tombstones: 0, byCode: {} }).length)
          },
        },
      )
      assert.equal(told, given())
      return { calls, untold, page, state }
    }
    const [small, large] = [await held(1_000), await held(100_000)]
    assert.deepEqual({ ...large, calls: 0, untold: 0 }, { ...small, calls: 0, untold: 0 })
    assert.ok(large.page <= 100)
    assert.ok(large.untold <= SEGMENT, `${large.untold} faults were held`)
    assert.equal(large.calls, 100 * small.calls)
  })
})
