import assert from 'node:assert/strict'
import type { Commit } from '../../lib/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person, testClient } from '../support/op.ts'

const RPS = 200

/** What the commit holds besides sealed states, in bytes. */
function clearBytes({ events }: Commit): number {
  return Buffer.byteLength(JSON.stringify(events, (key, value) => (key === 'sealed' ? '' : value)))
}

/** The sealed state of the session, in bytes. */
function sealedBytes({ events }: Commit): number {
  const [state] = events.filter(({ stream, type }) => stream.startsWith('Session:') && type === 'stored')
  return Buffer.byteLength(String(state?.data['sealed']))
}

describe(`a session in which a user logs in at ${RPS} RPs`, () => {
  it('is written at the cost of one login and of its own state: nothing that was registered is named again', async () => {
    const ids = Array.from({ length: RPS }, (_, n) => `rp-${n}`)
    const others = ids.map((id) => testClient(id, { backchannel_logout_uri: `https://${id}.example.com/logout` }))
    const scene = await LogoutScene.start({}, { others })
    try {
      const person = new Person(scene.op)
      for (const id of ids) await person.authorize(id)
      const commits = await scene.commitsWith('session_logout.back_channel.registered')
      assert.equal(commits.length, RPS)
      const first = clearBytes(commits[1] as Commit) // the one before logs the user in, too
      for (const commit of commits.slice(1)) {
        const registered = commit.events.filter(({ type }) => type.endsWith('.registered'))
        assert.equal(registered.length, 1)
        assert.ok(clearBytes(commit) <= first + 32, `${clearBytes(commit)} bytes, ${first} at the second login`)
      }
      const [small, large] = [sealedBytes(commits[1] as Commit), sealedBytes(commits[RPS - 1] as Commit)]
      const each = (large - small) / (RPS - 2)
      assert.ok(each <= 200, `${each} bytes of state for each RP`)
    } finally {
      await scene.stop()
    }
  })
})
