import assert from 'node:assert/strict'
import { present } from './expect.ts'
import { assertHoldsOnce, assertInvariants, wholeLog } from './invariants.ts'
import { type Capabilities, commitTo, event, fresh, type MakeLog, openedLog, range } from './log-under-test.ts'

export function appendContract(makeLog: MakeLog, { dense }: Capabilities): void {
  describe('append', () => {
    const log = openedLog(makeLog)

    it('answers with a position and an id, under which the commit is then found', async () => {
      const stream = fresh()
      const { position, id } = await log.store.append(commitTo(stream))
      assert.ok(Number.isSafeInteger(position) && position > 0)
      assert.ok(typeof id === 'string' && id !== '')
      const commit = present(await log.store.latest(stream))
      assert.equal(commit.position, position)
      assert.equal(commit.id, id)
    })

    it('gives a later append a higher position', async () => {
      let before = 0
      for (const _ of range(20)) {
        const { position } = await log.store.append(commitTo(fresh()))
        assert.ok(position > before, `${position} came after ${before}`)
        if (dense && before > 0) assert.equal(position, before + 1)
        before = position
      }
    })

    it('gives each commit an id of its own, also when content and stream are the same', async () => {
      const commit = commitTo(fresh())
      const ids = new Set<string>()
      for (const _ of range(20)) ids.add((await log.store.append(commit)).id)
      assert.equal(ids.size, 20)
    })

    it('puts one commit into every stream that its events name', async () => {
      const [one, two] = [fresh(), fresh()]
      const { id } = await log.store.append({ events: [event(one), event(two), event(one, { type: 'thing.ended' })] })
      for (const stream of [one, two]) {
        const commits = await log.store.read(stream)
        assert.deepEqual(
          commits.map((commit) => commit.id),
          [id],
        )
        assert.deepEqual(
          commits.flatMap(({ events }) => events.map(({ type }) => type)),
          ['thing.happened', 'thing.happened', 'thing.ended'],
        )
      }
    })

    it('finds a commit by the streams its events are also in', async () => {
      const [own, index, other] = [fresh(), fresh('uid'), fresh('grant')]
      const { id } = await log.store.append(commitTo(own, { also: [index, other] }))
      for (const stream of [own, index, other]) assert.equal(present(await log.store.latest(stream)).id, id)
      assert.deepEqual(present(await log.store.latest(own)).events[0]?.also, [index, other])
    })

    it('is there for every read that begins after it was acknowledged', async () => {
      for (const _ of range(50)) {
        const [stream, index] = [fresh(), fresh('uid')]
        const { id, position } = await log.store.append(commitTo(stream, { also: [index] }))
        const [latest, read, byIndex, all] = await Promise.all([
          log.store.latest(stream),
          log.store.read(stream),
          log.store.readStreams([index]),
          log.store.readAll({ after: position - 1, limit: 1 }),
        ])
        assert.equal(latest?.id, id)
        for (const commits of [read, byIndex, all])
          assert.deepEqual(
            commits.map((commit) => commit.id),
            [id],
          )
      }
    })

    it('gives each of 1,000 concurrent commits exactly one position', async () => {
      const from = await log.store.end()
      const streams = range(50).map(() => fresh())
      const acknowledged = await Promise.all(
        range(1000).map((n) => log.store.append(commitTo(streams[n % streams.length] ?? '', { data: { n } }))),
      )
      assert.equal(new Set(acknowledged.map(({ position }) => position)).size, 1000)
      const commits = await wholeLog(log.store, from)
      assert.equal(commits.length, 1000)
      assertHoldsOnce(commits, acknowledged)
      assertInvariants(commits, { dense })
    })

    it('keeps the order of appends to one stream that one process began one after the other', async () => {
      const stream = fresh()
      await Promise.all(range(100).map((n) => log.store.append(commitTo(stream, { data: { n } }))))
      const order = (await log.store.read(stream)).map(({ events }) => events[0]?.data['n'])
      assert.deepEqual(order, range(100))
    })

    it('takes a commit of many events', async () => {
      const stream = fresh()
      await log.store.append({ events: range(500).map((n) => event(stream, { data: { n } })) })
      const { events } = present(await log.store.latest(stream))
      assert.deepEqual(
        events.map(({ data }) => data['n']),
        range(500),
      )
    })

    it('takes a commit of some megabytes, and several at once', async () => {
      const stream = fresh()
      const text = 'é'.repeat(1_500_000)
      await Promise.all(range(6).map((n) => log.store.append(commitTo(stream, { data: { n, text } }))))
      const commits = await log.store.read(stream)
      assert.deepEqual(
        commits.map(({ events }) => events[0]?.data['text'] === text),
        range(6).map(() => true),
      )
    })
  })
}
