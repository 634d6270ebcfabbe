import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Clock, type Commit, type EventStore, Heartbeat, silent, systemClock } from '../../lib/index.ts'
import { OperatorsLog } from '../../lib/operators/operators-log.ts'
import { FakeClock } from '../support/fake-clock.ts'

const ISSUER = 'https://op.example.com'
const ACT = { level: 'instance', type: 'thing.set', actor: 'script' } as const

describe('what operators set', () => {
  /** A store that counts the commits that are read, as a process has it. */
  function processOn(
    log: MemoryEventStore,
    clock: Clock = new FakeClock(0),
  ): { operators: OperatorsLog; read: () => number } {
    let read = 0
    const store: EventStore = new Proxy(log, {
      get(target, name) {
        if (name === 'read')
          return async (...of: Parameters<EventStore['read']>): Promise<Commit[]> => {
            const commits = await target.read(...of)
            read += commits.length
            return commits
          }
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const heartbeat = new Heartbeat({ store, clock, logger: silent })
    const operators = new OperatorsLog({ store, clock, logger: silent, heartbeat, issuers: () => [ISSUER] })
    return { operators, read: () => read }
  }

  for (const count of [1, 100, 10_000]) {
    it(`is read once, and one more thing costs a few commits: after ${count}`, async () => {
      const log = new MemoryEventStore()
      for (let version = 1; version <= count; version++) {
        const { type, level, actor } = ACT
        const event = { stream: `thing:instance:${ISSUER}`, type, version, data: { n: version, level, actor } }
        await log.append({ events: [event] })
      }
      const { operators, read } = processOn(log)
      let known: number[] = []
      operators.follow('thing', (acts) => {
        known = acts.map(({ data }) => Number(data['n']))
      })
      await operators.refresh()
      assert.equal(known.length, count)
      const before = read()
      await operators.record('thing', { ...ACT, data: { n: count + 1 } })
      assert.ok(read() - before <= 4, `${read() - before} commits read`)
      assert.equal(known.at(-1), count + 1)
      await log.close()
    })
  }

  it('is numbered without gaps, though operators of many processes act at once', async () => {
    const log = new MemoryEventStore()
    const processes = Array.from({ length: 4 }, () => processOn(log, systemClock))
    const acts = Array.from({ length: 20 }, (_, n) => n)
    await Promise.all(
      processes.map(async ({ operators }, p) => {
        for (const n of acts) await operators.record('thing', { ...ACT, data: { n: p * 100 + n } })
      }),
    )
    const commits = await log.read(`thing:instance:${ISSUER}`)
    assert.deepEqual(
      commits.map(({ events }) => events[0]?.version),
      Array.from({ length: 80 }, (_, n) => n + 1),
    )
    await log.close()
  })

  it('is read anew where a fail-over has taken back what was known last', async () => {
    const log = new MemoryEventStore()
    const { operators } = processOn(log)
    const heard: number[][] = []
    operators.follow('thing', (acts) => heard.push(acts.map(({ data }) => Number(data['n']))))
    await operators.record('thing', { ...ACT, data: { n: 1 } })
    const { read, readStreams } = log
    const another = (commits: readonly Commit[]): Commit[] =>
      commits.map((commit) => ({
        ...commit,
        id: `another ${commit.id}`,
        events: commit.events.map((event) => ({ ...event, data: { ...event.data, n: 7 } })),
      }))
    log.read = async (stream, options) => another(await read.call(log, stream, options))
    log.readStreams = async (streams, options) => another(await readStreams.call(log, streams, options))
    await operators.refresh()
    assert.deepEqual(heard.at(-1), [7])
    await log.close()
  })
})
