import assert from 'node:assert/strict'
import type { NewWork } from '../../lib/index.ts'
import { laneOf } from '../../plugins/back-channel-logout/work/lanes.ts'
import { DispatchScene, OP } from '../support/dispatch-scene.ts'
import { workOf } from '../support/planning.ts'

/** What somebody could do who writes to the database and has no keys. */
describe('the dispatcher, with rows of work that somebody without keys has written', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
    scene.client('rp')
    scene.client('other')
  })

  afterEach(() => scene.stop())

  /** The row of a real end, changed, in place of the real one. */
  async function plant(change: (row: NewWork) => NewWork): Promise<void> {
    const planned = await scene.store.end()
    await scene.owe('rp')
    const work = scene.store.work('deliveries')
    const now = await work.time()
    const rows = await workOf(scene.store, await scene.store.readAll({ after: planned, limit: 100 }), now)
    assert.equal(rows.length, 1)
    await work.add(rows.map((row) => change({ ...row, id: `${row.id}~1` })))
  }

  it('tells no RP of a subject that was made up: it does not open', async () => {
    await plant((row) => ({ ...row, body: { ...row.body, sealedSubject: 'made up' } }))
    await scene.dispatcher()
    await scene.clock.advance(60_000)
    assert.equal(scene.postsTo('rp').length, 1) // the real one
    assert.equal((await scene.commits('attempt_failed')).length > 0, true)
  })

  for (const [what, change] of [
    ['session', (row) => ({ ...row, body: { ...row.body, sessionUid: 'session-of-somebody-else' } })],
    ['client', (row) => ({ ...row, lane: laneOf(OP, 'other'), body: { ...row.body, clientId: 'other' } })],
    ['login', (row) => ({ ...row, body: { ...row.body, sid: 'sid-of-somebody-else' } })],
    ['delivery', (row) => ({ ...row, id: '1/0.0' })],
    ['kind of token', (row) => ({ ...row, body: { ...row.body, includeSid: false } })],
  ] as [string, (row: NewWork) => NewWork][]) {
    it(`tells no RP anything where a row was given another ${what}: its subject opens for what was planned alone`, async () => {
      await plant(change)
      await scene.dispatcher()
      await scene.clock.advance(60_000)
      assert.equal(scene.posts.length, 1) // the real one
    })
  }

  it('gives such a row up in the end, with a reason that says what to do, whatever its client is called', async () => {
    const name = `rp ${'"\\'.repeat(400)}`
    scene.client(name, undefined, 'https://long.example.com/')
    await plant((row) => ({ ...row, lane: laneOf(OP, name), body: { ...row.body, clientId: name } }))
    await scene.dispatcher()
    for (let hours = 0; hours < 48; hours++) await scene.clock.advance(3_600_000)
    assert.equal(scene.posts.length, 1) // the real one
    const [abandoned, ...more] = await scene.commits('abandoned')
    assert.deepEqual(more, [])
    assert.match(
      String(abandoned?.events[0]?.data['error']),
      /the subject of this delivery does not open: .* send it again/,
    )
    assert.equal(await scene.store.work('deliveries').countOpen(), 0)
  })

  it('tells an RP again what it was told before, at most', async () => {
    await plant((row) => row)
    await scene.dispatcher()
    await scene.clock.advance(60_000)
    assert.equal(scene.postsTo('rp').length, 2)
  })

  it('sends nowhere but to the address that the client has: a row holds none', async () => {
    await plant((row) => ({
      ...row,
      body: { ...row.body, uri: 'https://evil.example.com/', back_channel_logout_uri: 'https://evil.example.com/' },
    }))
    await scene.dispatcher()
    await scene.clock.advance(60_000)
    assert.deepEqual(new Set(scene.posts.map(({ url }) => url)), new Set(['https://rp.example.com/']))
  })
})
