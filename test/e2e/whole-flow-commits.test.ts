import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Op, startOp, testClient } from '../support/op.ts'
import { eventNames, SteeredStore } from '../support/steered-store.ts'
import { FLOW_STEPS, wholeFlow } from '../support/whole-flow.ts'

/** What each request of the flow commits. Requests that are not here commit nothing. */
const COMMITS: Readonly<Partial<Record<(typeof FLOW_STEPS)[number], readonly string[][]>>> = {
  authorize: [['Interaction stored']],
  login: [['Interaction stored']],
  'resume after login': [['Interaction destroyed', 'Interaction stored', 'Session stored']],
  // Development interactions, like an application's own, end the response themselves: each write is stored at once.
  consent: [['Grant stored'], ['Interaction stored']],
  'resume after consent': [
    ['AuthorizationCode stored', 'Interaction destroyed', 'Session destroyed', 'Session stored'],
  ],
  exchange: [['AccessToken stored', 'AuthorizationCode consumed', 'RefreshToken stored']],
  refresh: [['AccessToken stored', 'RefreshToken consumed', 'RefreshToken stored']],
  revoke: [['Grant destroyed', 'RefreshToken destroyed']],
  end_session: [['Session stored']],
  confirm: [['Session destroyed']],
}

describe('each request of a whole flow', () => {
  const store = new SteeredStore(new MemoryEventStore())
  const client = testClient('rp')
  let op: Op
  before(async () => {
    op = await startOp(store, { clients: [client] })
  })
  after(async () => {
    await op.stop()
    await store.close()
  })

  it('is one commit, or none where it only reads', async () => {
    const seen: [string, string[][]][] = []
    for await (const { name } of wholeFlow(op, client)) {
      seen.push([name, store.commits.splice(0).map((commit) => eventNames(commit).sort())])
    }
    assert.deepEqual(
      seen.map(([name]) => name),
      FLOW_STEPS,
    )
    assert.deepEqual(
      seen,
      FLOW_STEPS.map((name) => [name, COMMITS[name] ?? []]),
    )
  })
})
