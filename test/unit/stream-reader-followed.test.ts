import assert from 'node:assert/strict'
import type { NewestCommits } from '../../lib/provider/look-up.ts'
import { Moment } from '../../lib/provider/moment.ts'
import { StreamReader } from '../../lib/provider/stream-reader.ts'
import { commitOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { genuine, LogProcess } from '../support/log-process.ts'
import { ServerInMemory } from '../support/server-in-memory.ts'

describe('the reader of streams, on a log that it follows', () => {
  let clock: FakeClock
  let server: ServerInMemory
  let own: LogProcess
  let other: LogProcess
  let reader: StreamReader
  /** How many commits each answer of the server held. */
  let answers: number[]

  beforeEach(async () => {
    clock = new FakeClock()
    server = new ServerInMemory()
    own = new LogProcess(server, clock)
    other = new LogProcess(server, clock)
    reader = new StreamReader(own.store, clock)
    await look(['nothing'])
    await look(['nothing'])
    answers = []
    server.onFound = (count) => answers.push(count)
  })

  afterEach(async () => {
    const stopped = Promise.all([own.stop(), other.stop()])
    await clock.advance(10_000)
    await stopped
  })

  async function append(by: LogProcess, stream: string, count = 1): Promise<void> {
    const appended = Promise.all(Array.from({ length: count }, () => by.append(commitOf(stream, { stream }))))
    await clock.advance(0)
    for (const { code } of await appended) assert.equal(code, undefined)
  }

  /** Looks things up at once; how many commits each has. */
  async function look(names: readonly string[], moment?: Moment): Promise<number[]> {
    const found = Promise.all(names.map((name) => reader.newest({ names: [name], wanted: 16, room: 16 }, moment)))
    await clock.advance(0)
    return (await found).map(({ commits }: NewestCommits) => commits.length)
  }

  it('reads a thing once; from then on only what was appended since', async () => {
    await append(other, 'a', 3)
    assert.deepEqual([await look(['a']), answers], [[3], [3]])
    for (let n = 0; n < 5; n++) assert.deepEqual(await look(['a', 'nothing']), [3, 0])
    assert.deepEqual(answers, [3, 0, 0, 0, 0, 0])
    await append(other, 'a')
    assert.deepEqual([await look(['a']), answers.at(-1)], [[4], 1])
  })

  it('learns of what is held, of what is not and of what is new with one command', async () => {
    await append(other, 'a')
    await append(other, 'b')
    await look(['a'])
    await append(other, 'c')
    answers.length = 0
    assert.deepEqual([await look(['a', 'b', 'c', 'd']), answers], [[1, 1, 1, 0], [2]])
  })

  it('looks nothing up that its own process has appended', async () => {
    await look(['a'])
    await append(own, 'a', 2)
    answers.length = 0
    assert.deepEqual([await look(['a']), answers], [[2], [0]])
  })

  it('asks once for a request: what is held is then answered as of that moment, for 50 ms', async () => {
    const moment = new Moment()
    await look(['a', 'b'])
    answers.length = 0
    await look(['a'], moment)
    await append(other, 'b')
    assert.deepEqual(await look(['a', 'b'], moment), [0, 0])
    await clock.advance(50)
    assert.deepEqual([await look(['b'], moment), answers], [[0], [0]])
    await clock.advance(1)
    assert.deepEqual([await look(['b'], moment), answers], [[1], [0, 1]])
  })

  it('sees its own appends at whatever moment, and what others have appended once the moment is ended', async () => {
    const moment = new Moment()
    await look(['a', 'b'], moment)
    await append(own, 'a')
    await append(other, 'b')
    assert.deepEqual(await look(['a', 'b'], moment), [1, 0])
    moment.end()
    assert.deepEqual(await look(['a', 'b'], moment), [1, 1])
  })

  it('reads what is not held within a moment', async () => {
    const moment = new Moment()
    await append(other, 'b')
    await look(['a'], moment)
    assert.deepEqual(await look(['b'], moment), [1])
  })

  it('sets no moment before the command was sent that it is about', async () => {
    const moment = new Moment()
    await look(['a', 'b'])
    let answer = (): void => {}
    server.answers = () =>
      new Promise((resolve) => {
        answer = resolve
      })
    const looking = reader.newest({ names: ['a'], wanted: 16, room: 16 }, moment)
    await clock.advance(51)
    server.answers = async () => {}
    answer()
    await looking
    await append(other, 'b')
    assert.deepEqual(await look(['b'], moment), [1], 'the moment was over when its answer came')
  })

  it('reads what it held when there is another primary, also for those who waited for that', async () => {
    await append(other, 'a')
    await look(['a'])
    server.answers = async () => {
      server.answers = async () => {}
      server.failOver()
    }
    answers.length = 0
    assert.deepEqual(await look(['a']), [1])
    assert.ok(answers.includes(1), 'it was read')
  })

  it('holds the newest commits of a long stream, too', async () => {
    await append(other, 'long', 100)
    const newest = async (): Promise<number[]> => {
      const looking = reader.newest({ names: ['long'], wanted: 16, room: 16 })
      await clock.advance(0)
      return (await looking).commits.map(({ position }) => position).slice(-2)
    }
    for (let n = 0; n < 3; n++) assert.deepEqual(await newest(), [99, 100])
    answers.length = 0
    await append(other, 'long')
    assert.deepEqual([await newest(), answers], [[100, 101], [1]])
  })

  it('gives up for ten seconds where others append far more than it looks up, and reads; then it tries again', async () => {
    await look(['a'])
    for (let n = 0; n < 11; n++) {
      await append(other, 'elsewhere', 100)
      assert.deepEqual(await look(['a']), [0])
    }
    answers.length = 0
    await append(other, 'elsewhere', 50)
    assert.deepEqual([await look(['a']), answers], [[0], [0]], 'it is not told of what others append')
    await append(other, 'a')
    assert.deepEqual(await look(['a']), [1])
    await clock.advance(10_000)
    await look(['a'])
    await look(['a'])
    await append(other, 'elsewhere', 50)
    answers.length = 0
    assert.deepEqual([await look(['a']), answers], [[1], [50]])
    for (let n = 0; n < 11; n++) {
      await append(other, 'elsewhere', 100)
      await look(['a'])
    }
    await clock.advance(19_000)
    await look(['a'])
    await append(other, 'elsewhere', 50)
    answers.length = 0
    assert.deepEqual([await look(['a']), answers], [[1], [1]], 'the second time it gives up for twenty')
  })

  it('goes on where it looks up enough', async () => {
    await look(['a'])
    for (let n = 0; n < 12; n++) {
      await append(other, 'elsewhere', 100)
      for (let looks = 0; looks < 30; looks++) await look(['a'])
    }
    answers.length = 0
    await append(other, 'elsewhere', 50)
    assert.deepEqual([await look(['a']), answers], [[0], [50]])
  })

  it('holds nothing, and follows nothing, where it may hold no bytes', async () => {
    reader = new StreamReader(own.store, clock, 0)
    await append(other, 'a')
    for (let n = 0; n < 3; n++) assert.deepEqual(await look(['a']), [1])
    assert.deepEqual(answers, [1, 1, 1])
  })

  it('cannot read one thing that a newer version has written, and reads all others', async () => {
    await append(other, 'a')
    await look(['a', 'b'])
    server.put(genuine({ ...server.documents[0], _id: 2, c: 'newer', s: ['a'], m: { v: 99 } }))
    const looking = Promise.allSettled(
      ['a', 'b', 'c'].map((name) => reader.newest({ names: [name], wanted: 16, room: 16 })),
    )
    await clock.advance(0)
    await clock.advance(0)
    const results = await looking
    assert.deepEqual(
      results.map((result) => (result.status === 'rejected' ? result.reason.code : result.value.commits.length)),
      ['SCHEMA_NEWER', 0, 0],
    )
  })
})
