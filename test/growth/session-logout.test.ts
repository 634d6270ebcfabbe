import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { AccountKeys, type JsonObject, type NewEvent, type Observation, silent, systemClock } from '../../lib/index.ts'
import { ToldClients } from '../../plugins/back-channel-logout/clients/told-clients.ts'
import { deadLettersOf } from '../../plugins/back-channel-logout/dead-letters/listing.ts'
import { PLANNER, plan } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { Planning } from '../../plugins/back-channel-logout/delivery/planning.ts'
import { policyOf } from '../../plugins/back-channel-logout/delivery/policy-options.ts'
import type { OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { historyOf } from '../../plugins/back-channel-logout/receipts/history.ts'
import { deadLetterStreams, endsStream } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { LongLogouts } from '../../plugins/back-channel-logout/recording/long-logouts.ts'
import { toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { BackChannelObserver } from '../../plugins/back-channel-logout/recording/session-observer.ts'
import { nobodyToTell, OP } from '../support/planning.ts'
import { countReads } from '../support/reads.ts'
import { commitOf, fold, registered, rejected, sealedEvent, sent, terminated } from '../support/session-log.ts'

const SIZES = [1, 100, 10_000] as const

/** One login after the other is made and ended alone, and told. */
function endsInOneSession(count: number): NewEvent[][] {
  return Array.from({ length: count }, (_, n) => [
    toEvent('uid', registered('rp', `sid-${n}`)),
    toEvent('uid', terminated([`sid-${n}`])),
    toEvent('uid', sent(`${n}/1.0`)),
  ])
}

describe('a session in which one RP’s login ends again and again', () => {
  for (const ends of SIZES) {
    it(`is folded by changing one copy: at most 8 entries are written for each of ${ends} ends`, () => {
      const commits = endsInOneSession(ends).map((events, n) => commitOf(n + 1, events))
      // A copy of a map, however it is made, sets each of its entries.
      const { set } = Map.prototype
      let sets = 0
      Map.prototype.set = function (this: Map<unknown, unknown>, key, value) {
        sets += 1
        return set.call(this, key, value)
      }
      let logout: ReturnType<typeof fold>
      try {
        logout = fold('uid', commits)
      } finally {
        Map.prototype.set = set
      }
      assert.equal(logout.terminations.length, ends)
      assert.ok(sets <= 8 * ends, `${sets / ends} entries for each end`)
    })

    it(`is planned, end by end, at the cost of what is new: at most 2 commits are read for the one after ${ends}`, async () => {
      const store = new MemoryEventStore()
      const logouts = new LongLogouts(store)
      const accountKeys = new AccountKeys(store, systemClock)
      for (const events of endsInOneSession(Math.max(ends, 64))) await store.append({ events })
      const readings = countReads(store)
      for (const n of [1, 2, 3]) {
        readings.splice(0)
        const events = [
          sealedEvent(store, 'uid', registered('rp', `last-${n}`)),
          toEvent('uid', terminated([`last-${n}`])),
        ]
        const { position } = await store.append({ events })
        const commit = { position, events }
        const { work } = await plan({ logouts, issuer: OP, clients: nobodyToTell, accountKeys }, [commit], 0)
        assert.deepEqual(
          work.map(({ id }) => id),
          [`${position}/1.0`],
        )
        await store.append({ events: [toEvent('uid', sent(`${position}/1.0`))] })
        if (n > 1) assert.ok(readings.flat().length <= 2, `${readings.flat().length} commits`)
      }
      await store.close()
    })

    it(`is told, and its dead letters are, at the cost of reading it a few times: ${ends} ends`, async () => {
      const store = new MemoryEventStore()
      await store.consumers.ensure(PLANNER, 0)
      for (let n = 0; n < ends; n++) {
        const end = toEvent('uid', terminated([`${n}`], { triggered_at_origin: OP }), [endsStream(OP)])
        const { position } = await store.append({ events: [sealedEvent(store, 'uid', registered('rp', `${n}`)), end] })
        await store.append({ events: [toEvent('uid', rejected(`${position}/1.0`), deadLetterStreams(OP, 'rp'))] })
      }
      const readings = countReads(store)
      let told = 0
      for await (const _ of historyOf({ store, issuer: OP }, {}, {})) told += 1
      for await (const _ of deadLettersOf({ store, issuer: OP }, {})) told += 1
      assert.equal(told, 1 + ends)
      assert.ok(readings.flat().length <= 6 * ends, `${readings.flat().length / ends} commits for each end`)
      await store.close()
    })

    it(`is planned at once by the process that ends it, or left to the planner: 256 commits are read, of ${ends} ends`, async () => {
      const store = new MemoryEventStore()
      const planning = new Planning({
        ...{ store, clock: systemClock, logger: silent, issuer: OP, clients: nobodyToTell, policy: policyOf() },
        accountKeys: new AccountKeys(store, systemClock),
        work: store.work('deliveries'),
        planEndings: async () => {},
        onPlanned: () => {},
      })
      for (const events of endsInOneSession(ends)) await store.append({ events })
      const readings = countReads(store)
      const events = [sealedEvent(store, 'uid', registered('rp', 'last')), toEvent('uid', terminated(['last']))]
      await planning.planAtOnce([{ ...(await store.append({ events })), events }])
      assert.ok(readings.flat().length <= 256, `${readings.flat().length} commits`)
      assert.equal(await store.work('deliveries').countOpen(), ends < 256 ? 1 : 0)
      await store.close()
    })
  }
})

describe('a session with many RPs', () => {
  for (const rps of SIZES) {
    it(`records the one login that is new, and of each of the ${rps} before one letter`, async () => {
      const provider = { issuer: OP, Client: { find: async () => undefined } } as unknown as OidcProvider
      const observer = new BackChannelObserver()
      observer.attach({
        provider,
        keys: new AccountKeys(new MemoryEventStore(), systemClock),
        clients: new ToldClients({
          provider,
          logger: silent,
          clock: systemClock,
          development: false,
          mayFilterOperators: () => false,
        }),
        isOn: () => true,
        committed: () => {},
      })
      const sessionOf = (count: number): JsonObject => ({
        accountId: 'alice',
        authorizations: Object.fromEntries(
          Array.from({ length: count }, (_, n) => [`rp-${n}`, { sid: `sid-of-${n}` }]),
        ),
      })
      const write = (before: number, after: number, note?: JsonObject): Promise<Observation> =>
        observer.sessionChanges({
          uid: 'uid',
          ...(before > 0 && { before: sessionOf(before) }),
          after: sessionOf(after),
          ...(note && { note }),
        })
      const bytesOf = ({ events, note }: Observation): [events: number, note: number] => [
        Buffer.byteLength(JSON.stringify(events)),
        Buffer.byteLength(JSON.stringify(note)),
      ]
      const [least] = bytesOf(await write(0, 1))
      const all = await write(0, rps)
      const [events, note] = bytesOf(await write(rps, rps + 1, all.note))
      assert.ok(events <= least + 32, `${events} bytes, ${least} for the first`)
      assert.ok(note <= 40 + rps + 1, `${note} bytes of note`)
      assert.deepEqual((await write(rps, rps, all.note)).events, [])
    })
  }
})
