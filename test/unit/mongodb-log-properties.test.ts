import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Appending, commitOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { assertLogSound } from '../support/invariants.ts'
import { LogProcess } from '../support/log-process.ts'
import { type Fate, ServerInMemory } from '../support/server-in-memory.ts'

/** An append of one of the processes: to a stream, perhaps with a mark that one commit may have. */
interface Append {
  readonly process: 0 | 1
  readonly stream: string
  readonly mark: string | undefined
}

const append: fc.Arbitrary<Append> = fc.record({
  process: fc.constantFrom(0, 1),
  stream: fc.constantFrom('Thing:a', 'Thing:b', 'Thing:c'),
  mark: fc.constantFrom(undefined, undefined, 'first', 'second'),
})

const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 5, arbitrary: fc.constant('answered' as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Fate>('lost', 'answer lost', 'late', 'no majority', 'rolled back', 'not primary'),
  },
)

describe('a log on MongoDB, whatever becomes of its commands', () => {
  for (const fastPath of [false, true]) {
    it(`keeps its invariants (${fastPath ? 'with' : 'without'} the fast path)`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(append, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
          fc.array(fate, { maxLength: 40 }),
          async (waves, fates) => {
            const clock = new FakeClock()
            const server = new ServerInMemory()
            const processes = [0, 1].map(() => new LogProcess(server, clock, { fastPath }))
            const subscribers = processes.map((process) => process.follow(0))
            const left = [...fates]
            server.fateOf = () => left.shift() ?? 'answered'
            const answered: Appending[] = []
            for (const wave of waves) {
              const answers = Promise.all(
                wave.map(({ process, stream, mark }) => {
                  const claims = mark === undefined ? {} : { claims: [{ kind: 'once', mark } as const] }
                  return (processes[process] as LogProcess).append(commitOf(stream, { stream, ...claims }))
                }),
              )
              let isOver = false
              void answers.finally(() => {
                isOver = true
              })
              for (let waited = 0; !isOver; waited += 250) {
                assert.ok(waited <= 9_500, 'every append is answered within nine seconds and a half')
                await clock.advance(250)
              }
              answered.push(...(await answers))
              await clock.advance(1)
            }
            server.fateOf = () => 'answered'
            server.catchUp()
            // What is unknown is found out, holes are closed, and everything is delivered.
            await clock.advance(60_000)
            const runs = subscribers.map(({ commits }) => ({ after: 0, ids: commits.map(({ id }) => id) }))
            const known = answered.filter(({ code }) => code !== 'OUTCOME_UNKNOWN')
            await assertLogSound(server.db, { answered: known, subscribers: runs })
            assertStoredOnce(server)
            const stored = server.documents.filter(({ e }) => e.length > 0).map(({ c }) => c)
            for (const { ids } of runs) assert.deepEqual(ids, stored, 'all that is stored is delivered, in order')
            assertInOrderOfEachProcess(waves.flat(), answered)
            for (const process of processes) assert.equal(await process.stop(), 0, 'nothing is left unknown')
          },
        ),
        { numRuns: 150, seed: 20_261_129 },
      )
    })
  }
})

/** Whatever its caller was told, no commit is in the log twice. */
function assertStoredOnce({ documents }: ServerInMemory): void {
  const tags = documents.flatMap(({ e }) => e.map(({ d }: { d: { tag: string } }) => d.tag))
  assert.deepEqual(tags, [...new Set(tags)])
}

/** Of two appends to a stream that a process began one after the other, the later is at the higher position. */
function assertInOrderOfEachProcess(asked: readonly Append[], answered: readonly Appending[]): void {
  const last = new Map<string, number>()
  for (const [index, { process, stream }] of asked.entries()) {
    const position = answered[index]?.position
    if (position === undefined) continue
    const key = `${process} ${stream}`
    assert.ok(position > (last.get(key) ?? 0), `${stream} of process ${process}`)
    last.set(key, position)
  }
}
