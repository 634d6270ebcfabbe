import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import type { Receipt } from '../../plugins/back-channel-logout/receipts/receipt.ts'
import { Receipts } from '../../plugins/back-channel-logout/receipts/receipts.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { all, ISSUER, LogoutLog } from '../support/logout-log.ts'

describe('a receipt that is watched', () => {
  let store: MemoryEventStore
  let log: LogoutLog
  let receipts: Receipts
  let clock: FakeClock

  beforeEach(() => {
    store = new MemoryEventStore()
    log = new LogoutLog(store)
    clock = new FakeClock()
    receipts = new Receipts({ store, issuer: ISSUER, clock })
  })

  afterEach(() => store.close())

  function states({ ends }: Receipt): string[] {
    return ends.flatMap(({ relyingParties }) => relyingParties.map(({ clientId, state }) => `${clientId} ${state}`))
  }

  it('is told now and after each change, until all have been told', async () => {
    const [shop = '', mail = ''] = await log.ended('one', 'alice', ['shop', 'mail'])
    const seen: string[][] = []
    for await (const receipt of receipts.watch('one', {})) {
      seen.push(states(receipt).toSorted())
      if (seen.length === 1) await log.confirmed('one', shop)
      if (seen.length === 2) await log.rejected('one', mail, 'mail')
    }
    assert.deepEqual(seen, [
      ['mail pending', 'shop pending'],
      ['mail pending', 'shop confirmed'],
      ['mail rejected', 'shop confirmed'],
    ])
  })

  it('is told once where there is nothing to wait for', async () => {
    const [shop = ''] = await log.ended('one', 'alice', ['shop'])
    await log.confirmed('one', shop)
    assert.equal((await all(receipts.watch('one', {}))).length, 1)
  })

  it('waits for the end of a session that lives, through ends of single logins', async () => {
    await log.login('one', 'alice', 'shop', '1')
    const counts: number[] = []
    for await (const { ends } of receipts.watch('one', {})) {
      counts.push(ends.length)
      if (counts.length === 1) {
        await log.end('one', 'alice', ['1'])
        await log.confirmed('one', '2/0.0')
        await log.end('one', 'alice')
      }
    }
    assert.equal(counts[0], 0)
    assert.equal(counts.at(-1), 2)
  })

  it('is not made anew for what happens to others, however much that is', async () => {
    let made = 0
    const waiting = (): number => {
      made += 1
      return 0
    }
    receipts = new Receipts({ store, issuer: ISSUER, clock, waiting })
    const [shop = '', mail = ''] = await log.ended('one', 'alice', ['shop', 'mail'])
    await log.confirmed('one', shop)
    const watching = receipts.watch('one', {})[Symbol.asyncIterator]()
    await watching.next()
    const before = made
    const next = watching.next()
    for (let n = 0; n < 100; n++) {
      await log.ended(`other ${n}`, 'bob', ['shop'])
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(made - before <= 1, `${made - before} times`)
    await log.confirmed('one', mail)
    assert.deepEqual(states((await next).value as Receipt).toSorted(), ['mail confirmed', 'shop confirmed'])
  })

  it('waits until it is decided whether an RP without a known URI is to be told', async () => {
    const { consumers } = store
    const planner = await consumers.take(await consumers.ensure(PLANNER, 0), 'planner')
    const plannedUpTo = (position: number): Promise<boolean> =>
      consumers.checkpoint(PLANNER, planner?.token ?? 0, position)
    await log.loginWithoutUri('one', 'alice', 'shop')
    const end = await log.end('one', 'alice')
    const seen: boolean[] = []
    const watched = (async () => {
      for await (const { settled } of receipts.watch('one', {})) seen.push(settled)
    })()
    await clock.scheduled()
    await plannedUpTo(end - 1)
    await clock.advance(1_000)
    await clock.scheduled()
    assert.deepEqual(seen, [false])
    await plannedUpTo(end)
    await clock.advance(1_000)
    await watched
    assert.deepEqual(seen, [false, true])
  })

  it('is told of an RP that is found to be owed a token, before and while it waits', async () => {
    await log.loginWithoutUri('one', 'alice', 'shop')
    const delivery = `${await log.end('one', 'alice')}/0.0`
    const seen: string[][] = []
    const watched = (async () => {
      for await (const receipt of receipts.watch('one', {})) {
        seen.push(states(receipt))
        if (seen.length === 2) await log.confirmed('one', delivery)
      }
    })()
    await clock.scheduled()
    await log.owed('one', delivery)
    await clock.advance(1_000)
    await watched
    assert.deepEqual(seen, [[], ['shop pending'], ['shop confirmed']])
  })

  it('is not told again for what happens elsewhere, or changes nothing', async () => {
    const [shop = ''] = await log.ended('one', 'alice', ['shop'])
    const seen: Receipt[] = []
    for await (const receipt of receipts.watch('one', {})) {
      seen.push(receipt)
      if (seen.length > 1) continue
      await store.append({ events: [{ stream: 'session_logout:two', type: 'noted', data: {} }] })
      await store.append({ events: [{ stream: 'session_logout:one', type: 'noted', data: {} }] })
      await log.confirmed('one', shop)
    }
    assert.deepEqual(seen.map(states), [['shop pending'], ['shop confirmed']])
  })

  it('reads the history of the session once, however often the receipt changes', async () => {
    const clients = Array.from({ length: 50 }, (_, i) => `rp-${i}`)
    const deliveries = await log.ended('one', 'alice', clients)
    const readStreams = store.readStreams.bind(store)
    let reads = 0
    store.readStreams = (streams, options) => {
      reads += 1
      return readStreams(streams, options)
    }
    let seen = 0
    for await (const _ of receipts.watch('one', {})) {
      const delivery = deliveries[seen]
      seen += 1
      if (delivery !== undefined) await log.confirmed('one', delivery)
    }
    assert.deepEqual([seen, reads], [51, 1])
  })

  it('misses nothing that happens between the reading and the following', async () => {
    const [shop = ''] = await log.ended('one', 'alice', ['shop'])
    const readStreams = store.readStreams.bind(store)
    let first = true
    store.readStreams = async (streams, options) => {
      const found = await readStreams(streams, options)
      if (first) {
        first = false
        await log.confirmed('one', shop)
      }
      return found
    }
    assert.deepEqual((await all(receipts.watch('one', {}))).map(states), [['shop pending'], ['shop confirmed']])
  })

  it('tells an end once that comes between the beginning and the reading, and is followed as well', async () => {
    await log.login('one', 'alice', 'shop', '1')
    const end = store.end.bind(store)
    store.end = async () => {
      const position = await end()
      store.end = end
      await log.end('one', 'alice', ['1'])
      return position
    }
    const counts: number[] = []
    for await (const { ends } of receipts.watch('one', {})) {
      counts.push(ends.length)
      if (counts.length === 2) break
      await log.login('one', 'alice', 'mail', '2')
      await log.end('one', 'alice', ['2'])
    }
    assert.deepEqual(counts, [1, 2])
  })

  it('ends when it is aborted', async () => {
    await log.ended('one', 'alice', ['shop'])
    const stop = new AbortController()
    for await (const _ of receipts.watch('one', { signal: stop.signal })) stop.abort()
    assert.deepEqual(await all(receipts.watch('one', { signal: AbortSignal.abort() })), [])
  })

  it('ends with the store', async () => {
    const [shop = ''] = await log.ended('one', 'alice', ['shop', 'mail'])
    let seen = 0
    for await (const _ of receipts.watch('one', {})) {
      seen += 1
      if (seen === 1) await log.confirmed('one', shop)
      else await store.close()
    }
    assert.equal(seen, 2)
  })

  it('is checked at once', () => {
    assert.throws(() => receipts.watch('', {}), { code: 'OPTION_INVALID', option: 'sessionUid' })
    assert.throws(() => receipts.watch('one', { signal: 1 as unknown as AbortSignal }), { option: 'signal' })
    assert.throws(() => receipts.watch('one', { limit: 1 } as object), { option: 'limit' })
    assert.throws(() => receipts.history({ client: '' }, {}), { code: 'OPTION_INVALID', option: 'client' })
  })
})
