import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventStore, silent } from '../../lib/index.ts'
import { WebError } from '../../lib/web/web-error.ts'
import type { LiveChanges, Operation } from '../../plugins/admin-console/api/contract.ts'
import { LiveFeed } from '../../plugins/admin-console/live/live-feed.ts'
import { FakeClock } from '../support/fake-clock.ts'

/** Reads server-sent events. */
class Reading {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  text = ''
  ended = false

  constructor(response: Response) {
    assert.ok(response.body)
    this.#reader = response.body.getReader()
    void this.#run()
  }

  events<T>(name: string): T[] {
    const found = [...this.text.matchAll(new RegExp(`event: ${name}\\ndata: (.*)\\n`, 'g'))]
    return found.map(([, data]) => JSON.parse(String(data)) as T)
  }

  cancel(): Promise<void> {
    return this.#reader.cancel()
  }

  async #run(): Promise<void> {
    for (let next = await this.#reader.read(); !next.done; next = await this.#reader.read())
      this.text += Buffer.from(next.value).toString()
    this.ended = true
  }
}

describe('the live feed', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let asked: string[]
  let feed: LiveFeed

  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryEventStore({ clock })
    asked = []
    const counted: Pick<EventStore, 'end' | 'subscribe'> = {
      end: () => {
        asked.push('end')
        return store.end()
      },
      subscribe: (options) => {
        asked.push('subscribe')
        return store.subscribe(options)
      },
    }
    feed = new LiveFeed({ store: counted, clock, logger: silent, process: 'p' })
  })
  afterEach(async () => {
    feed.close()
    await store.close()
  })

  const listen = async (name = 'vera'): Promise<Reading> =>
    new Reading(await feed.listen(name, new AbortController().signal))
  const append = (stream: string, type = 'stored') => store.append({ events: [{ stream, type, data: {} }] })

  it('asks the store nothing while nobody looks, and has no timer', async () => {
    await append('Grant:x')
    await clock.advance(60_000)
    feed.operation({ id: 'x' } as Operation)
    assert.deepEqual(asked, [])
    assert.equal(clock.pending, 0)
  })

  it('follows the log once for all who look, and no more when the last has gone', async () => {
    const readings = [await listen(), await listen(), await listen()]
    assert.deepEqual(asked, ['end', 'subscribe', 'end', 'end'])
    await append('Session:x')
    await clock.advance(1_000)
    for (const reading of readings) assert.equal(reading.events('changes').length, 1)
    for (const reading of readings) await reading.cancel()
    assert.equal(feed.listening, 0)
    await clock.advance(60_000)
    await append('Session:y')
    await clock.advance(60_000)
    assert.equal(asked.length, 4)
    assert.equal(clock.pending, 0)
    const again = await listen()
    await append('Session:z')
    await clock.advance(1_000)
    assert.equal(again.events<LiveChanges>('changes')[0]?.count, 1)
  })

  it('tells of a thousand commits at once, in one event with the newest fifty', async () => {
    const reading = await listen()
    for (let n = 0; n < 1_000; n++) await append(n % 2 ? 'session_logout:u' : 'termination:t')
    await clock.advance(1_000)
    const [changes, ...more] = reading.events<LiveChanges>('changes')
    assert.deepEqual(more, [])
    assert.deepEqual([changes?.count, changes?.commits.length, changes?.position], [1_000, 50, 1_000])
    assert.equal(changes?.commits[0]?.position, 1_000)
    assert.deepEqual([...(changes?.topics ?? [])].sort(), ['logouts', 'terminations'])
    assert.equal(reading.events<{ position: number }>('hello')[0]?.position, 0)
  })

  it('shows that it lives, and ends after a quarter of an hour, so that the application is asked anew', async () => {
    const reading = await listen()
    await clock.advance(15_000)
    assert.ok(reading.text.endsWith(':\n\n'))
    await clock.advance(15 * 60_000)
    assert.ok(reading.ended)
    assert.equal(feed.listening, 0)
  })

  it('takes 64 at a time, and eight of one operator', async () => {
    for (let n = 0; n < 8; n++) await listen()
    await assert.rejects(listen(), (error) => error instanceof WebError && error.code === 'TOO_MANY_STREAMS')
    for (let n = 0; n < 56; n++) await listen(`operator-${n}`)
    await assert.rejects(listen('one more'), (error) => error instanceof WebError && error.status === 429)
  })

  it('lets a browser go that does not read', async () => {
    await feed.listen('vera', new AbortController().signal)
    for (let n = 0; n < 100; n++) {
      await append('Grant:x')
      await clock.advance(1_000)
    }
    assert.equal(feed.listening, 0)
  })

  it('lets a browser go for which more than half a megabyte waits', async () => {
    await feed.listen('vera', new AbortController().signal)
    const clientId = 'x'.repeat(1_000)
    for (let n = 0; n < 12; n++) {
      const event = { stream: 'session_logout:uid', type: 'happened', data: { client_id: clientId } }
      for (let commit = 0; commit < 50; commit++) await store.append({ events: [event] })
      await clock.advance(1_000)
    }
    assert.equal(feed.listening, 0)
  })

  it('ends with the browser, with the store and with the console', async () => {
    const gone = new AbortController()
    const reading = new Reading(await feed.listen('vera', gone.signal))
    gone.abort()
    await clock.advance(0)
    assert.ok(reading.ended)
    const other = await listen()
    await store.close()
    await clock.advance(0)
    assert.ok(other.ended)
    await assert.rejects(listen(), (error) => error instanceof WebError && error.code === 'STOPPING')
  })

  it('goes on behind what it has told, when the store was away', async () => {
    let fails = 1
    const { subscribe } = store
    store.subscribe = async function* (options) {
      if (fails-- > 0) throw new Error('away')
      yield* subscribe.call(store, options)
    }
    const reading = await listen()
    await append('Grant:x')
    await clock.advance(2_000)
    await clock.advance(1_000)
    assert.equal(reading.events<LiveChanges>('changes')[0]?.position, 1)
  })
})
