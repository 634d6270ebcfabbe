import assert from 'node:assert/strict'
import { Deadlines } from '../../adapters/mongodb/deadlines.ts'
import { CommandTimeoutError } from '../../adapters/mongodb/with-timeout.ts'
import { FakeClock } from '../support/fake-clock.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the time limit of commands', () => {
  let clock: FakeClock
  let deadlines: Deadlines

  beforeEach(() => {
    clock = new FakeClock()
    deadlines = new Deadlines(clock, 1_000)
  })

  /** A command that is never answered; tells when it was given up, and whether its signal was aborted. */
  function silent(): { readonly signal: () => AbortSignal | undefined; readonly outcome: () => unknown } {
    let given: AbortSignal | undefined
    let outcome: unknown
    deadlines
      .run((signal) => {
        given = signal
        return new Promise(() => {})
      })
      .catch((error: unknown) => {
        outcome = error
      })
    return { signal: () => given, outcome: () => outcome }
  }

  it('is the answer of the command where that comes in time', async () => {
    assert.equal(await deadlines.run(async () => 'answer'), 'answer')
    await assert.rejects(
      deadlines.run(async () => {
        throw new Error('its own')
      }),
      /its own/,
    )
    await clock.advance(5_000)
    assert.equal(clock.pending, 0, 'nothing is waited for')
  })

  it('is that of each, counted from its own beginning, with one timer for all', async () => {
    const first = silent()
    await clock.advance(400)
    const second = silent()
    assert.equal(clock.pending, 1)
    await clock.advance(600)
    assert.ok(first.outcome() instanceof CommandTimeoutError)
    assert.deepEqual([first.signal()?.aborted, second.signal()?.aborted, second.outcome()], [true, false, undefined])
    await clock.advance(399)
    assert.equal(second.outcome(), undefined)
    await clock.advance(1)
    assert.ok(second.outcome() instanceof CommandTimeoutError)
    assert.equal(second.signal()?.aborted, true)
  })

  it('does not end what was answered, however late the timer is', async () => {
    let aborted = false
    const answered = deadlines.run(async (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return 1
    })
    assert.equal(await answered, 1)
    await clock.suspend(60_000)
    assert.equal(aborted, false)
  })

  it('ends all at once where the store closes, and refuses what comes', async () => {
    const [one, two] = [silent(), silent()]
    const closed = new Error('closed')
    deadlines.stop(closed)
    await turn()
    assert.deepEqual([one.outcome(), two.outcome(), one.signal()?.aborted], [closed, closed, true])
    await assert.rejects(
      deadlines.run(async () => assert.fail('it was sent')),
      closed,
    )
    assert.equal(clock.pending, 0)
  })
})
