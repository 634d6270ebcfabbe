import assert from 'node:assert/strict'
import { Collections } from '../../adapters/mongodb/collections.ts'
import { ServerTime } from '../../adapters/mongodb/server-time.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { ServerInMemory } from '../support/server-in-memory.ts'

describe('the time of a store on MongoDB', () => {
  const THEN = Date.UTC(2030, 0, 1)
  let clock: FakeClock
  let server: ServerInMemory
  let time: ServerTime

  beforeEach(() => {
    clock = new FakeClock()
    server = new ServerInMemory()
    server.time = THEN
    time = new ServerTime(new Collections(server.db, '', clock), clock)
  })

  it('is the server’s, whatever the machine’s clock says', async () => {
    assert.equal(await time.now(), THEN)
    assert.notEqual(clock.now(), THEN)
  })

  it('goes on between two looks, of which there is one a minute', async () => {
    await time.now()
    for (let seconds = 1; seconds < 60; seconds++) {
      await clock.advance(1_000)
      assert.equal(await time.now(), THEN + seconds * 1_000)
    }
    assert.equal(server.commands.length, 1)
    server.time = THEN + 70_000
    await clock.advance(1_000)
    assert.equal(await time.now(), THEN + 70_000)
    assert.equal(server.commands.length, 2)
  })

  it('is asked for once by all who want it at the same moment', async () => {
    assert.deepEqual(await Promise.all([time.now(), time.now()]), [THEN, THEN])
    assert.equal(server.commands.length, 1)
  })

  it('is asked for again where the server did not answer', async () => {
    const fates = ['not primary', 'not primary'] as const
    let asked = 0
    server.fateOf = () => fates[asked++] ?? 'answered'
    await assert.rejects(time.now())
    assert.equal(await time.now(), THEN)
  })

  it('is the machine’s where the server does not tell its own', async () => {
    server.time = undefined
    assert.equal(await time.now(), clock.now())
  })
})
