import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { attached, FakeContext } from '../contract/provider-adapter/adapter-under-test.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { SteeredStore } from '../support/steered-store.ts'

/** A write that a request begins and does not wait for. */
interface Trailing {
  readonly kind: 'upsert' | 'consume' | 'destroy' | 'revoke'
  /** How many rounds of the event loop after the request began. */
  readonly begins: number
  /** How long its look-up takes. */
  readonly takes: number
}

const trailing: fc.Arbitrary<Trailing> = fc.record({
  kind: fc.constantFrom('upsert', 'consume', 'destroy', 'revoke'),
  begins: fc.nat(8),
  takes: fc.nat(8),
})

describe('writes that a request does not wait for', () => {
  for (const status of [200, 500]) {
    it(`happen once each, whenever they begin and end, where the request is answered ${status}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(trailing, { minLength: 1, maxLength: 5 }), fc.nat(8), async (writes, lasts) => {
          const store = new SteeredStore(new MemoryEventStore())
          const { op, middleware } = attached(store)
          const things = writes.map((write) => ({ ...write, id: newId(), grantId: newId() }))
          for (const { id, kind } of things)
            if (kind !== 'upsert') await op.adapter('RefreshToken').upsert(id, sample('RefreshToken', id), 60)
          const delays = new Map(
            things.flatMap(({ id, grantId, takes }) => [
              ...store.keys.streams('RefreshToken', id).map((name) => [name, takes] as const),
              ...store.keys.streams('Grant', grantId).map((name) => [name, takes] as const),
            ]),
          )
          store.beforeRead = (streams) => rounds(Math.max(0, ...streams.map((stream) => delays.get(stream) ?? 0)))
          const before = store.commits.length
          const done: Promise<(typeof things)[number]>[] = []
          const ctx = new FakeContext()
          await middleware(ctx, async () => {
            for (const thing of things) {
              done.push(
                (async () => {
                  await rounds(thing.begins)
                  const adapter = op.adapter('RefreshToken')
                  if (thing.kind === 'upsert') await adapter.upsert(thing.id, sample('RefreshToken', thing.id), 60)
                  else if (thing.kind === 'revoke') await adapter.revokeByGrantId(thing.grantId)
                  else await adapter[thing.kind](thing.id)
                  return thing
                })(),
              )
            }
            await rounds(lasts)
            ctx.status = status
          })
          const ended = await Promise.all(done)
          const events = store.commits.slice(before).flatMap((commit) => commit.events)
          // A request that failed takes back what it has staged, unless it took something away.
          const isCertain = (kind: Trailing['kind']) => status === 200 || kind === 'destroy' || kind === 'revoke'
          for (const { kind, id, grantId } of ended) {
            const model = kind === 'revoke' ? 'Grant' : 'RefreshToken'
            const [stream] = store.keys.streams(model, kind === 'revoke' ? grantId : id)
            const times = events.filter((event) => event.stream === stream).length
            assert.ok(times === 1 || (times === 0 && !isCertain(kind)), `${kind} happened ${times} times`)
          }
          await store.close()
        }),
        { numRuns: 500 },
      )
    })
  }
})

async function rounds(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise(setImmediate)
}
