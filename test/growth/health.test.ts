import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { ParkedCommits } from '../../plugins/back-channel-logout/delivery/parked-commits.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { healthOf } from '../../plugins/back-channel-logout/health.ts'
import { deadLettersStream } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { OP } from '../support/planning.ts'
import { countReads } from '../support/reads.ts'
import { registered, rejected, terminated } from '../support/session-log.ts'

describe('what a probe of the health costs', () => {
  for (const size of [1, 100, 10_000]) {
    it(`is no reading of ${size} commits that were parked and are planned, nor of ${size} ends of a session`, async () => {
      const clock = new FakeClock()
      const store = new MemoryEventStore({ clock })
      const parked = new ParkedCommits({ store, issuer: OP, plan: async () => {} })
      await store.consumers.ensure(PLANNER, 0)
      for (let n = 0; n < size; n += 100) {
        const some = Array.from({ length: Math.min(100, size - n) }, (_, index) => n + index + 1)
        await Promise.all(some.map((position) => parked.park({ position }, new Error('no'))))
      }
      await parked.retry({ actor: 'ann' })
      for (let n = 0; n < size; n++) {
        const login = [toEvent('long', registered('rp', `${n}`)), toEvent('long', terminated([`${n}`]))]
        const { position } = await store.append({ events: login })
        await store.append({ events: [toEvent('long', rejected(`${position}/1.0`), [deadLettersStream(OP)])] })
      }
      const reads = countReads(store)
      const { deadLetters, parked: left } = await healthOf({
        ...{ store, clock, issuer: OP, work: store.work('deliveries'), parked },
        paused: () => new Set(),
        isOn: () => true,
        openCircuits: () => [],
        plannerFailure: () => undefined,
      })
      assert.deepEqual([deadLetters?.count, left?.count], [Math.min(100, size), 0])
      assert.ok(reads.flat().length <= 100, `${reads.flat().length} commits`)
      await store.close()
    })
  }
})
