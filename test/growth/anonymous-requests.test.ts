import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Op, Person, startOp, testClient } from '../support/op.ts'
import { SteeredStore } from '../support/steered-store.ts'

/** What sealing makes of a character: base64url. */
const SEALED = 4 / 3

describe('what an anonymous authorization request leaves', () => {
  const store = new SteeredStore(new MemoryEventStore())
  let op: Op
  before(async () => {
    op = await startOp(store, { clients: [testClient('rp')] })
  })
  after(async () => {
    await op.stop()
    await store.close()
  })

  async function left(more: Record<string, string>): Promise<number> {
    const before = store.commits.length
    const person = new Person(op)
    const answer = await person.agent.get(person.authorizationUrl('rp', more))
    assert.equal(answer.status, 303)
    const commits = store.commits.slice(before)
    assert.equal(commits.length, 1)
    assert.equal(commits[0]?.events.length, 1)
    assert.equal(commits[0]?.events[0]?.also, undefined, 'one index entry')
    return JSON.stringify(commits).length
  }

  for (const length of [1, 100, 6_000]) {
    it(`is one event, found by one stream, with a login_hint and a state of ${length} characters once each`, async () => {
      const text = 'x'.repeat(length)
      const bytes = (await left({ login_hint: text, state: text })) - (await left({ login_hint: 'x', state: 'x' }))
      const once = 2 * (length - 1) * SEALED
      assert.ok(bytes >= once - 4 && bytes <= once + 4, `${bytes} bytes for ${once}`)
    })
  }

  it('comes back to the provider as it was', async () => {
    const person = new Person(op)
    const login_hint = 'somebody@example.com'
    const answer = await person.agent.get(person.authorizationUrl('rp', { login_hint }))
    const uid = String(answer.headers.get('location')).split('/').at(-1) ?? ''
    const interaction = await op.provider.Interaction.find(uid)
    assert.deepEqual(interaction?.prompt.details, { login_hint })
    assert.equal(interaction?.params['login_hint'], login_hint)
  })
})
