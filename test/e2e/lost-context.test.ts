import assert from 'node:assert/strict'
import { AsyncResource } from 'node:async_hooks'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'

const RP = testClient('rp')

describe('a hook of the provider that loses its async context', () => {
  const store = new MemoryEventStore()
  const lines: { readonly event?: string; readonly model?: string; readonly message: string }[] = []
  const log = (fields: object, message: string): void => void lines.push({ ...fields, message })
  /** As a callback that a connection pool calls, or an event of another request. */
  const elsewhere = new AsyncResource('elsewhere')
  let op: Op

  before(async () => {
    op = await startOp(store, {
      clients: [RP],
      logger: { debug: () => {}, info: () => {}, warn: log, error: log },
      configuration: {
        async issueRefreshToken(_ctx, _client, code) {
          await elsewhere.runInAsyncScope(() =>
            op.eventSourced.adapter('AuthorizationCode').upsert(code.jti, { ...code }),
          )
          return false
        },
      },
    })
  })
  after(async () => {
    await op.stop()
    await store.close()
  })

  it('is told of in the log, once for each model: its writes are commits of their own', async () => {
    for (const _ of [1, 2]) {
      const code = (await new Person(op).authorize('rp')).get('code') ?? ''
      assert.equal((await new Client(op, RP).exchange(code)).status, 200)
    }
    const told = lines.filter(({ event }) => event === 'write_outside_request')
    assert.deepEqual(
      told.map(({ model }) => model),
      ['AuthorizationCode'],
    )
    assert.match(told[0]?.message ?? '', /async context/)
  })
})
