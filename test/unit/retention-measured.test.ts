import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { silent } from '../../lib/index.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { retentionPolicy } from '../../lib/retention/retention-options.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { KeptTelemetry } from '../support/kept-telemetry.ts'

const DAY = 86_400_000

describe('what retention removes', () => {
  it('is counted as it goes: as many commits as its report says', async () => {
    const clock = new FakeClock()
    const store = new MemoryEventStore({ clock })
    const telemetry = new KeptTelemetry()
    const policy = retentionPolicy({ statesMs: 2 * DAY })
    const retention = new LogRetention({ store, clock, logger: silent, telemetry, policy, rules: [] })
    const exp = Math.floor(clock.now() / 1_000) + 3_600
    for (let n = 0; n < 250; n++) {
      const [stream] = store.keys.streams('Thing', `thing-${n}`)
      await store.append({ events: [{ stream, type: 'stored', data: { exp } }], expiresAt: exp * 1_000 })
    }
    let removed = 0
    for (let day = 0; day < 5; day++) {
      await clock.advance(DAY)
      await store.append({ events: [{ stream: 'days', type: 'passed', data: {} }] })
      await retention.run({ dryRun: true })
      removed += (await retention.run()).commits
    }
    assert.equal(removed, 250)
    const counted = telemetry.of('retention.removed').map(({ value }) => value)
    assert.equal(
      counted.reduce((sum, value) => sum + value, 0),
      removed,
    )
    await store.close()
  })
})
